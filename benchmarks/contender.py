"""A usual way to train a classifier on a folder of pictures; it runs in an environment of its own.

    python contender.py {plain,lightning,fastai,timm} FOLDER --network resnet18 --size 64 --workers 0

FOLDER holds train/<label>/ and validation/<label>/. For each line on standard input it trains one epoch,
validation and accuracy included, and answers with the seconds and the number of training pictures.
"""

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH, RATE = 32, 1e-3


def network(name: str) -> nn.Module:
    """ResNet18 with all layers learning, or VGG16 with its convolutions frozen under a small pooled classifier."""
    if name == "resnet18":
        return torchvision.models.resnet18(num_classes=2)
    frozen = torchvision.models.vgg16()
    frozen.avgpool = nn.AdaptiveAvgPool2d(1)
    layers = [nn.BatchNorm1d(512), nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 2)]
    frozen.classifier = nn.Sequential(*layers)
    frozen.features.requires_grad_(False)
    return frozen


def answer(seconds: float, pictures: int) -> None:
    """Print for the bench, which reads lines that start with @@ and no others."""
    print("@@" + json.dumps({"seconds": seconds, "pictures": pictures}), flush=True)


def waiting() -> bool:
    """Whether the bench requests another epoch."""
    return bool(sys.stdin.readline().strip())


def loaders(options: argparse.Namespace) -> tuple[DataLoader, DataLoader]:
    """torchvision's folder and transforms, as in its tutorials."""
    size = (options.size, options.size)
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    flipped = transforms.Compose([transforms.Resize(size), transforms.RandomHorizontalFlip(), *plain])
    train = ImageFolder(f"{options.folder}/train", flipped)
    validation = ImageFolder(f"{options.folder}/validation", transforms.Compose([transforms.Resize(size), *plain]))
    more = {"batch_size": BATCH, "num_workers": options.workers, "persistent_workers": options.workers > 0}
    return DataLoader(train, shuffle=True, **more), DataLoader(validation, **more)


def loop(model: nn.Module, train: DataLoader, validation: DataLoader) -> None:
    """The loop that every notebook has."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], RATE)
    while waiting():
        began, pictures, total, correct = time.perf_counter(), 0, 0.0, 0
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            logits = model(images)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
            pictures += len(labels)
        model.eval()
        with torch.no_grad():
            for images, labels in validation:
                correct += (model(images).argmax(1) == labels).sum().item()
        answer(time.perf_counter() - began, pictures)


def plain(options: argparse.Namespace) -> None:
    """ImageFolder and a loop."""
    loop(network(options.network), *loaders(options))


def timm(options: argparse.Namespace) -> None:
    """timm's model, loader and optimiser in the steps of its training script."""
    import timm as library
    from timm.optim import create_optimizer_v2
    from timm.utils import AverageMeter, accuracy

    resnet = options.network == "resnet18"
    model = library.create_model("resnet18", num_classes=2) if resnet else network("vgg16")
    made = []
    for split in ("train", "validation"):
        dataset = library.data.create_dataset("", root=f"{options.folder}/{split}")
        # Flips alone, like the others; no crops, no colours.
        changes = {"hflip": 0.5, "scale": (1.0, 1.0), "ratio": (1.0, 1.0), "color_jitter": None}
        made.append(
            library.data.create_loader(
                dataset, (3, options.size, options.size), BATCH, is_training=split == "train", use_prefetcher=False,
                num_workers=options.workers, persistent_workers=options.workers > 0, device=torch.device("cpu"),
                crop_pct=1.0, crop_mode="squash", **(changes if split == "train" else {}),
            )
        )  # fmt: skip
    optimizer = create_optimizer_v2(model, opt="adam", lr=RATE, weight_decay=0.0)
    while waiting():
        began, pictures = time.perf_counter(), 0
        losses, correct = AverageMeter(), AverageMeter()
        model.train()
        for images, labels in made[0]:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.update(loss.item(), len(labels))
            pictures += len(labels)
        model.eval()
        with torch.no_grad():
            for images, labels in made[1]:
                correct.update(accuracy(model(images), labels)[0].item(), len(labels))
        answer(time.perf_counter() - began, pictures)


def fastai(options: argparse.Namespace) -> None:
    """fastai's Learner on its data block of the folder."""
    from fastai.vision.all import (
        Adam,
        Flip,
        ImageDataLoaders,
        Learner,
        Normalize,
        Resize,
        ResizeMethod,
        accuracy,
    )

    data = ImageDataLoaders.from_folder(
        options.folder, train="train", valid="validation", bs=BATCH, num_workers=options.workers,
        item_tfms=Resize(options.size, method=ResizeMethod.Squish),
        batch_tfms=[Flip(), Normalize.from_stats(MEAN, STD)],
    )  # fmt: skip
    model = network(options.network)
    learner = Learner(data, model, loss_func=nn.CrossEntropyLoss(), opt_func=Adam, metrics=accuracy, lr=RATE)
    pictures = len(data.train) * BATCH  # it drops the last batch
    with learner.no_bar(), learner.no_logging():
        while waiting():
            began = time.perf_counter()
            learner.fit(1)
            answer(time.perf_counter() - began, pictures)


def lightning(options: argparse.Namespace) -> None:
    """Lightning's Trainer."""
    import lightning as library

    class Module(library.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network(options.network)

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            loss = F.cross_entropy(self.network(batch[0]), batch[1])
            self.log("train_loss", loss, on_epoch=True)
            return loss

        def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
            logits = self.network(batch[0])
            self.log("val_accuracy", (logits.argmax(1) == batch[1]).float().mean(), on_epoch=True)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], RATE)

    class Asked(library.Callback):
        def on_train_epoch_start(self, trainer: library.Trainer, _: library.LightningModule) -> None:
            if not waiting():
                raise SystemExit
            self.began = time.perf_counter()

        def on_train_epoch_end(self, trainer: library.Trainer, _: library.LightningModule) -> None:
            answer(time.perf_counter() - self.began, len(trainer.train_dataloader.dataset))

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = library.Trainer(
        max_epochs=-1, accelerator="cpu", devices=1, callbacks=[Asked()], enable_progress_bar=False,
        enable_checkpointing=False, enable_model_summary=False, logger=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(Module(), *loaders(options))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    WAYS: dict[str, Callable[[argparse.Namespace], None]] = {
        "plain": plain, "lightning": lightning, "fastai": fastai, "timm": timm,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("folder")
    parser.add_argument("--network", choices=["resnet18", "vgg16"], default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=0)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    WAYS[chosen.way](chosen)
