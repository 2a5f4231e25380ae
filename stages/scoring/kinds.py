"""Words for the hard versions of pictures that faces/challenges.py makes."""

TITLES = {
    "block": "a grey block",
    "mask": "a mask over the mouth",
    "eye_band": "a band over the eyes",
    "low_light": "low light",
    "blur": "blur",
    "jpeg": "JPEG compression",
    "low_resolution": "low resolution",
    "rotation": "rotation",
}
OCCLUSIONS = ("block", "mask", "eye_band")
