"""Telling people and programs what becomes of runs: what (`news`), how (`formats`), to whom (`settings`), reliably."""
