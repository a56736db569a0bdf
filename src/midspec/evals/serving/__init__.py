"""One server for a base model and many LoRA adapters: started, asked by name, stopped. Loads no torch, no inspect."""
