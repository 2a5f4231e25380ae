"""The thresholds of the rules by which the conclusions are written, in one place."""

FEW_PICTURES = 20  # a share of fewer is marked: its interval spans a third or more
CHANCE = 0.05  # a difference is called one only below this p, corrected for the number of pairs or groups

# Convergence
NEAR_MAJORITY = 0.02  # validation accuracy this near the share of the largest class: nothing learned yet
SETTLED = 0.01  # validation accuracy moved no more than this over the last epochs
LAST_EPOCHS = 3
UNSTABLE = 1.2  # validation loss rose by this factor from one epoch to the next, in the first third
OVERFITTED, OVERFITTED_BY = 1.1, 0.02  # validation loss ended above its lowest by this factor and by this much
EARLY_EPOCHS = 3  # whose gradient norms are given
UNEVEN_NORMS = 2.0  # the largest of them is this many times the smallest

# Strengths and weaknesses
WIDE_GAP = 0.05  # train accuracy minus validation accuracy
NARROW_GAP = 0.01
UNEVEN_ERRORS = 2.0  # one kind of error has this many times the rate of the other
SEVERAL_ERRORS = 3  # from which on it is said between which classes they fall
OFTEN_CONFUSED = 0.3  # share of all errors that fall between two classes
EASY_CLASS, HARD_CLASS = 0.95, 0.85  # F1
SMALL_LOSS = 0.03  # balanced accuracy lost to a corruption of the pictures
LARGE_LOSS = 0.10
CALIBRATED, MISCALIBRATED = 0.03, 0.08  # expected calibration error
