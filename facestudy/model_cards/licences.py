"""What is known of the licences of the data and the weights behind a model; nothing is guessed."""

from dataclasses import dataclass

from facestudy.project.sections import GitFolder

CODE = "MIT"
NOT_STATED = "not stated"
DRAWN = f"drawn by this project's program, so under its licence, {CODE}; no real person is shown"


@dataclass(frozen=True)
class Origins:
    """Where data and weights come from, as params.yaml names it: `data.source`, `weights.source` and so on."""

    data: str
    git: GitFolder
    variant_weights: str  # pretrained | random
    weights: str
    pretraining: str
    initial: str  # where the initial weights come from, in the words of their file

    @property
    def drawn(self) -> bool:
        """Whether all that the model has seen was drawn by the project's own program."""
        ours = self.variant_weights == "random" or (self.weights == "pretrain" and self.pretraining == "sample")
        return self.data == "sample" and ours

    @property
    def identifier(self) -> str:
        """The model's licence as hubs write it: the project's own, or unknown where others have a say in it."""
        return CODE.lower() if self.drawn else "unknown"

    def of_data(self) -> str:
        """In words."""
        if self.data == "sample":
            return DRAWN
        if self.data == "git":
            return f"{NOT_STATED} here; what the repository {self.git.url} says at {self.git.revision} applies"
        return f"{NOT_STATED}: the source ({self.data}) names none"

    def of_weights(self) -> str:
        """In words, of the initial weights."""
        if self.variant_weights == "random":
            return "none: the training started from random weights"
        if self.weights == "pretrain":
            photos = "" if self.pretraining == "sample" else f"; of the photos among them {NOT_STATED}"
            return f"pretrained here on faces {DRAWN}{photos}"
        return f"{NOT_STATED}: {self.initial if self.weights == 'imagenet' else 'a file of the user'}"
