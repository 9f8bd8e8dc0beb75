"""Translate a program's messages from English to German and French, by an LSTM with attention.

    pip download --no-deps pretix weblate wagtail django   # wheels, which carry the catalogues
    python examples/translate_rnn.py                       # train, judge and save
    python examples/translate_rnn.py --translate "Save changes" "Delete %(name)s?"

Which messages they are, and what of them is never seen in training, `messages.py` says.
"""

from messages import Translator, command

import tinytensor as tt
from tinytensor.models import Seq2Seq
from tinytensor.optim.lr_scheduler import CosineAnnealingLR


class Recurrent(Translator):
    hidden, epochs, embedding = 192, 14, "decoder.embed.weight"

    def network(self, size, hidden):
        model = Seq2Seq(
            size, size, embedding=hidden, hidden=hidden, attention="general", dropout=0.2
        )
        # One table for what is read, what is written, and what to write (Press and Wolf 2017).
        model.encoder.embed = model.decoder.embed
        model.decoder.head.weight = model.decoder.embed.weight
        return model

    def optimizer(self, steps):
        optimizer = tt.optim.AdamW(self.model.parameters(), lr=3e-3, betas=(0.9, 0.98))
        return optimizer, CosineAnnealingLR(optimizer, steps)


if __name__ == "__main__":
    command(Recurrent, "translate_rnn", __doc__)
