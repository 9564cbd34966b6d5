"""Pictures and words: what makes a whole model of a trained tile network. The joint space, presence, likeness, language."""
