"""A Siamese network: are two images of one class?"""

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 8, 3),
            nn.ReLU(inplace=True),
        )
        self.fc = nn.Sequential(nn.Linear(8 * 2 * 2 * 2, 16), nn.ReLU(), nn.Linear(16, 1))
        self.sigmoid = nn.Sigmoid()

    def forward_once(self, x):
        output = self.features(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        output1, output2 = self.forward_once(input1), self.forward_once(input2)
        output = torch.cat((output1, output2), 1)
        return self.sigmoid(self.fc(output))


def test(model, device, loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for images_1, images_2, targets in loader:
            images_1, images_2 = images_1.to(device), images_2.to(device)
            outputs = model(images_1, images_2).squeeze(1)
            test_loss += F.binary_cross_entropy(outputs, targets, reduction="sum").item()
            pred = torch.where(outputs > 0.5, 1, 0)
            correct += pred.eq(targets.view_as(pred)).sum().item()
    return [test_loss / len(loader.dataset), correct]


def run(weights, draw):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = [torch.tensor(draw(i, 24, 1, 8, 8)) for i in range(2)]
    targets = ((images[0] - images[1]).flatten(1).mean(dim=1) > 0).float()
    loader = DataLoader(TensorDataset(*images, targets), batch_size=8, shuffle=False)
    model = SiameseNetwork().to(device)
    model.load_state_dict(weights(model))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.BCELoss()
    losses = []
    model.train()
    for images_1, images_2, target in loader:
        images_1, images_2, target = images_1.to(device), images_2.to(device), target.to(device)
        optimizer.zero_grad()
        outputs = model(images_1, images_2).squeeze(1)
        loss = criterion(outputs, target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses + test(model, device, loader)
