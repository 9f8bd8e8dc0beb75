"""Translate a program's messages from English to German and French, by a transformer.

    pip download --no-deps pretix weblate wagtail django   # wheels, which carry the catalogues
    python examples/translate.py                           # train, judge and save
    python examples/translate.py --translate "Save changes" "Delete %(name)s?"

Which messages they are, and what of them is never seen in training, `messages.py` says. The network
has as many parameters as that of `translate_rnn.py`, and its epochs take as long in all.
"""

from functools import partial

import numpy as np
from messages import Translator, command

import tinytensor as tt
from tinytensor import nn
from tinytensor.generation import beam_search, greedy
from tinytensor.nn.evaluating import evaluating
from tinytensor.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR


class Translating(nn.Module):
    """Source tokens (B, S) and the target's before each (B, T) → logits (B, T, size).

    One table holds the embeddings of both sides and, transposed, the output layer. Sines of the
    place are added to them. Each layer normalises what it is given (Vaswani et al. 2017; norm
    first: Xiong et al. 2020).
    """

    def __init__(self, size, width, layers=2, heads=4, dropout=0.2):
        super().__init__()
        self.embed = nn.Embedding(size, width)
        nn.init.normal_(self.embed.weight, std=width**-0.5)
        self.positions = nn.SinusoidalPositions(width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Transformer(
            width, heads, layers, layers, 3 * width, dropout, batch_first=True, norm_first=True
        )

    def embedded(self, tokens, first=0):
        """Of tokens (B, T), the first of which stands at the place ``first``."""
        places = np.arange(first, first + tokens.shape[1])
        x = self.embed(tokens) * self.embed.embedding_dim**0.5
        return self.dropout(self.positions(x, places))

    def logits(self, features):
        return nn.functional.linear(features, self.embed.weight)

    def encode(self, source, lengths):
        """What was read at each token (B, S, width), and where nothing stands (B, S)."""
        source = tt.tensor(np.asarray(source))
        padding = tt.tensor(np.arange(source.shape[1]) >= np.asarray(lengths)[:, None])
        read = self.transformer.encoder(self.embedded(source), src_key_padding_mask=padding)
        return read, padding

    def forward(self, source, lengths, target):
        read, padding = self.encode(source, lengths)
        later = tt.tensor(np.triu(np.ones((target.shape[1],) * 2, bool), 1))
        return self.logits(
            self.transformer.decoder(
                self.embedded(target), read, later, memory_key_padding_mask=padding
            )
        )

    def step(self, tokens, state, read, padding):
        """One of a search: logits (N, size) behind ``tokens`` (N,), of the same number of rows for
        each source. The state holds what each layer's attention was given before, (N, t, width)."""
        x = self.embedded(tt.tensor(tokens[:, None]), state[0].shape[1])
        after = []
        for layer, before in zip(self.transformer.decoder.layers, state, strict=True):
            seen = tt.concat([before, layer.norm1(x)], 1)
            x = x + layer.self_attn(seen[:, -1:], seen, seen, need_weights=False)[0]
            # The rows of a source are as many queries of what was read of it.
            asked = layer.norm2(x).reshape(len(read), -1, x.shape[-1])
            told, _ = layer.multihead_attn(asked, read, read, padding, need_weights=False)
            x = x + told.reshape(*x.shape)
            x = x + layer.linear2(layer.activation(layer.linear1(layer.norm3(x))))
            after.append(seen)
        return self.logits(self.transformer.decoder.norm(x)[:, 0]), tuple(after)

    def generate(self, source, lengths, start, end, most, beams=1, **how):
        """The best sequence for each source, without start and end: a list of lists of tokens."""
        find = partial(beam_search, beams=beams) if beams > 1 else greedy
        with evaluating(self):
            read, padding = self.encode(source, lengths)
            nothing = tt.zeros((len(read), 0, read.shape[-1]))
            state = (nothing,) * len(self.transformer.decoder.layers)
            step = partial(self.step, read=read, padding=padding)
            found = find(step, state, np.full(len(read), start), end, most, **how)
        best = [row[0] if isinstance(row, list) else row for row in found]
        return [hypothesis.tokens for hypothesis in best]

    def align(self, source, lengths, target):
        """The last layer's attention to the source at the target's tokens (B, T, S), the mean of
        its heads."""
        attention, seen = self.transformer.decoder.layers[-1].multihead_attn, []
        lengths = list(map(len, source)) if lengths is None else lengths
        noted = attention.register_forward_pre_hook(lambda _, given: seen.append(given))
        with evaluating(self):
            self(source, lengths, tt.tensor(target))
            noted.remove()
            return np.asarray(attention(*seen[0][:4])[1])


class Attentive(Translator):
    hidden, epochs, embedding = 128, 10, "embed.weight"

    def network(self, size, hidden):
        return Translating(size, hidden)

    def optimizer(self, steps):
        optimizer = tt.optim.AdamW(self.model.parameters(), lr=2e-3, betas=(0.9, 0.98))
        rising = max(steps // 20, 1)
        warm_up = LinearLR(optimizer, 0.01, total_iters=rising)
        decay = CosineAnnealingLR(optimizer, steps - rising)
        return optimizer, SequentialLR(optimizer, [warm_up, decay], [rising])


if __name__ == "__main__":
    command(Attentive, "translate", __doc__)
