"""The benchmark: our figures as ratios to limits measured in the same run, since absolute figures drift."""
