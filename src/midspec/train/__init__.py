"""Base models, packing and masks, midtraining, fine-tuning."""
