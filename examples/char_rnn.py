"""An LSTM learns to write Python from the sources of the standard library that runs it."""

from language import arguments, learn_to_write_code

from tinytensor.models import CharRNN

learn_to_write_code(
    "char_rnn",
    lambda vocabulary: CharRNN(vocabulary, embedding=64, hidden=256, layers=2),
    arguments(__doc__, steps=1500),
    length=64,
    batch_size=32,
    lr=3e-3,
)
