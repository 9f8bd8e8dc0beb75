// What one sees of the picture: panning, zooming, following the steps.

const LEAST_SCALE = 0.12;
const MOST_SCALE = 2.5;

function moveView(changes) {
  Object.assign(picture.view, changes);
  draw();
}

function zoom(factor, x = viewSize().width / 2, y = viewSize().height / 2) {
  const {view} = picture;
  const scale = clamp(view.scale * factor, LEAST_SCALE, MOST_SCALE);
  moveView({scale, x: view.x + x / view.scale - x / scale, y: view.y + y / view.scale - y / scale});
}

// All of it; at first not smaller than one can read, but then the middle of its head.
function fit(least = 0.2) {
  const {width, height} = viewSize();
  const scale = clamp(Math.min(width / root.width, height / root.height) * 0.97, least, 1.3);
  const x = (root.width - width / scale) / 2;
  const y = Math.min((root.height - height / scale) / 2, TITLE);
  moveView({scale, x, y});
}

// To the box of a step: the Tab key stops there, and the view goes there if it is to follow.
function follow(at) {
  const box = keysOfStep(run.steps[at])
    .map(shownBox)
    .find((one) => one);
  if (!box) return;
  if (byId('follow').checked && !byId('graph').hasAttribute('hidden')) bringIntoView(box);
  stopAt(box.key, hasFocus());
}

function bringIntoView(box) {
  const {width, height} = viewSize();
  const {view} = picture;
  const left = (box.x - view.x) * view.scale;
  const top = (box.y - view.y) * view.scale;
  const wide = Math.min(box.width * view.scale, width * 0.8);
  const high = Math.min(box.height * view.scale, height * 0.8);
  const margin = 30;
  const changes = {};
  if (left < margin || left + wide > width - margin)
    changes.x = box.x + box.width / 2 - width / view.scale / 2;
  if (top < margin || top + high > height - margin)
    changes.y = box.y + box.height / 2 - height / view.scale / 2;
  if (Object.keys(changes).length) moveView(changes);
}

function listenToPointer() {
  const graph = byId('graph');
  let last = null;
  let moved = false;
  graph.addEventListener('pointerdown', (event) => {
    last = [event.clientX, event.clientY];
    moved = false;
  });
  graph.addEventListener('pointermove', (event) => {
    if (!last || !event.buttons) return;
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    if (!moved && Math.abs(dx) + Math.abs(dy) < 4) return;
    if (!moved) graph.setPointerCapture(event.pointerId); // from now on it is no click
    moved = true;
    last = [event.clientX, event.clientY];
    const {view} = picture;
    moveView({x: view.x - dx / view.scale, y: view.y - dy / view.scale});
  });
  graph.addEventListener('pointerup', () => {
    last = null;
  });
  graph.addEventListener('click', (event) => {
    const node = event.target.closest('[data-box]');
    if (node && !moved) activate(node.dataset.box);
  });
  graph.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const {left, top} = graph.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 500), event.clientX - left, event.clientY - top);
    },
    {passive: false},
  );
}
