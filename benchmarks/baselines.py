"""What simple methods reach on the packed pictures of a task: the points that the networks are measured against."""

from statistics import fmean

import cv2
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from facestudy.models.packed import Packed
from facestudy.project import paths

COMPONENTS = 100


def baselines(task: str, seeds: list[int]) -> dict[str, float]:
    """Validation accuracy, 0 to 1, of the largest class, of PCA with logistic regression on gray pixels, and of
    histograms of oriented gradients with a support vector machine, trained on the task's training pictures.

    With folds, it is the mean over the folds that the seeds are validated on.
    """
    packed = Packed.read(paths.prepared(task))
    folds = set(packed.index["split"]) - {"train", "validation", "test"}
    reached = [_of_one_split(packed.for_seed(seed)) for seed in (seeds if folds else seeds[:1])]
    return {name: fmean(each[name] for each in reached) for name in reached[0]}


def _of_one_split(packed: Packed) -> dict[str, float]:
    gray = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in packed.images])
    label, split = packed.index["label"].to_numpy(), packed.index["split"].to_numpy()
    train, validation = split == "train", split == "validation"
    names, counts = np.unique(label[train], return_counts=True)
    pixels = gray.reshape(len(gray), -1) / 255.0
    components = min(COMPONENTS, int(train.sum()) - 1)
    regression = make_pipeline(
        PCA(components, whiten=True, random_state=0), LogisticRegression(max_iter=2000, C=0.1)
    ).fit(pixels[train], label[train])
    gradients = oriented_gradients(gray)
    machine = make_pipeline(StandardScaler(), SVC(C=10)).fit(gradients[train], label[train])
    return {
        "largest class": float((label[validation] == names[counts.argmax()]).mean()),
        "PCA, logistic regression": float(regression.score(pixels[validation], label[validation])),
        "HOG, support vector machine": float(machine.score(gradients[validation], label[validation])),
    }


def oriented_gradients(gray: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients (Dalal & Triggs, 2005) of (N, H, W) uint8, (N, features) float32."""
    side = gray.shape[1] // 8 * 8
    descriptor = cv2.HOGDescriptor((side, side), (16, 16), (8, 8), (8, 8), 9)
    return np.stack([np.ravel(descriptor.compute(cv2.resize(picture, (side, side)))) for picture in gray])


if __name__ == "__main__":
    for name in ("face", "emotion"):
        print(name, baselines(name, [0]))
