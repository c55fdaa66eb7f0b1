"""The page of a run: made from its record alone, as one file that needs nothing else."""
