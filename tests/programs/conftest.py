"""The programs are sources that a test reads; PyTorch, which they import, need not be there."""

collect_ignore = ["actor_critic.py", "gpt.py", "siamese.py", "vae.py", "word_language_model.py"]
