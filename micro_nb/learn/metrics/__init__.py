"""Figures of merit: ``instances`` (masks), ``boxes``, ``ranking`` (scores and search), ``intervals`` (how sure they are)."""
