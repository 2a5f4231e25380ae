"""What a model got wrong, to look at: the crops, and where the network looked.

The stage `mistakes` calls it."""
