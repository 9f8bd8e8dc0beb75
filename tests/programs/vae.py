"""A variational autoencoder on random images."""

import torch
import torch.nn.functional as F
from torch import nn, optim


class VAE(nn.Module):
    def __init__(self, pixels, hidden, latent):
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar, eps):
        std = torch.exp(0.5 * logvar)
        return mu + eps.type_as(std) * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x, eps):
        mu, logvar = self.encode(x.view(x.size(0), -1))
        z = self.reparameterize(mu, logvar, eps)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(x.size(0), -1), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


def run(weights, draw):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = VAE(64, 32, 4).to(device)
    model.load_state_dict(weights(model))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    model.train()
    for step in range(3):
        data = torch.tensor(draw(step, 16, 1, 8, 8) * 0.5 + 0.5).clamp(0, 1).to(device)
        eps = torch.tensor(draw(10 + step, 16, 4)).to(device)
        optimizer.zero_grad()
        recon, mu, logvar = model(data, eps)
        loss = loss_function(recon, data, mu, logvar) / len(data)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    with torch.no_grad():
        sample = model.decode(torch.tensor(draw(20, 2, 4))).cpu()
        losses.append(sample.view(2, 1, 8, 8).mean(dim=(1, 2, 3)).sum().item())
    return losses
