// The picture: boxes and edges as SVG, what a step lights up in it, panning and zooming.
// Only what is near the view has elements, so thousands of boxes cost no more than a screenful.

const LEAST_SCALE = 0.12;
const MOST_SCALE = 2.5;
const picture = {
  view: {x: 0, y: 0, scale: 1}, // the place in the picture of the view's corner, and pixels a unit
  boxes: [], // all that are to be seen if one pans
  edges: [],
  drawn: null, // the area that has elements
  nodes: new Map(), // elements of boxes by key
  paths: new Map(), // and of edges
  lit: [], // elements that the step lights up
};

const layers = {
  all: svg('g', {}),
  groups: svg('g', {class: 'groups'}),
  edges: svg('g', {class: 'edges'}),
  boxes: svg('g', {class: 'boxes'}),
};

function startGraph() {
  layers.all.append(layers.groups, layers.edges, layers.boxes);
  byId('graph').append(layers.all);
  rearrange();
}

// After something was opened or folded.
function rearrange() {
  picture.boxes = arrange();
  picture.edges = routed();
  picture.drawn = null;
  draw();
}

// --- What is drawn -----------------------------------------------------------------------------

function viewSize() {
  const {width, height} = byId('graph').getBoundingClientRect();
  return {width: width || 800, height: height || 600};
}

function viewArea(margin = 0) {
  const {x, y, scale} = picture.view;
  const {width, height} = viewSize();
  const [w, h] = [width / scale, height / scale];
  return {
    left: x - margin * w,
    top: y - margin * h,
    right: x + (1 + margin) * w,
    bottom: y + (1 + margin) * h,
  };
}

function inside(inner, outer) {
  return (
    inner.left >= outer.left &&
    inner.right <= outer.right &&
    inner.top >= outer.top &&
    inner.bottom <= outer.bottom
  );
}

function draw() {
  const {x, y, scale} = picture.view;
  layers.all.setAttribute('transform', `scale(${scale}) translate(${-x} ${-y})`);
  byId('graph').classList.toggle('far', scale < 0.35);
  if (!picture.drawn || !inside(viewArea(), picture.drawn)) drawElements();
}

function drawElements() {
  const area = (picture.drawn = viewArea(0.6));
  const near = (box) =>
    box.x < area.right &&
    box.x + box.width > area.left &&
    box.y < area.bottom &&
    box.y + box.height > area.top;
  for (const layer of [layers.groups, layers.edges, layers.boxes]) layer.replaceChildren();
  picture.nodes.clear();
  picture.paths.clear();
  for (const box of picture.boxes) if (near(box)) drawBox(box);
  for (const edge of picture.edges) {
    const within = edge.top < area.bottom && edge.bottom > area.top;
    if (within && (!edge.long || near(edge.start) || near(edge.end))) drawEdge(edge);
  }
  showInGraph(state.step);
}

function drawEdge(edge) {
  const path = svg('path', {
    d: edge.path,
    class: edge.long ? 'edge long' : 'edge',
    'marker-end': 'url(#arrow)',
  });
  picture.paths.set(edge.key, path);
  layers.edges.append(path);
}

function drawBox(box) {
  const open = box.kind === 'group' && box.open;
  const node = svg('g', {
    class: `box ${box.kind}${open ? ' open' : ''}${isInner(box) ? ' inner' : ''}`,
    role: 'button',
    'data-box': box.key,
    transform: `translate(${Math.round(box.x)} ${Math.round(box.y)})`,
  });
  const radius = box.kind === 'leaf' ? box.height / 2 : box.kind === 'call' ? 5 : 8;
  node.append(svg('rect', {class: 'frame', width: box.width, height: box.height, rx: radius}));
  if (open) drawTitle(node, box);
  else drawTexts(node, box);
  picture.nodes.set(box.key, node);
  (open ? layers.groups : layers.boxes).append(node);
}

// Calls that rules made inside a backward pass: of order 1 and above.
function isInner(box) {
  return box.kind === 'call' && run.calls[box.index].order > 0;
}

function drawTitle(node, box) {
  node.append(
    svg('rect', {class: 'title', width: box.width, height: TITLE, rx: 8}),
    svg('text', {class: 'name', x: 10, y: 16}, `▾ ${groupTitle(box)}`),
  );
}

function drawTexts(node, box) {
  const second = box.kind === 'leaf' ? 28 : 32;
  const sign = box.kind === 'group' ? '▸ ' : '';
  node.append(
    svg('text', {class: 'name', x: 10, y: box.kind === 'leaf' ? 14 : 16}, sign + boxTitle(box)),
    svg('text', {class: 'note', x: 10, y: second}, boxNote(box)),
    svg('text', {class: 'held', x: box.width - 10, y: second, 'text-anchor': 'end'}),
    svg('rect', {class: 'bar', x: 10, y: box.height - 5, height: 3, width: 0, rx: 1.5}),
    svg('circle', {class: 'gradient', cx: box.width - 8, cy: 9, r: 4}),
  );
  if (box.kind === 'group') {
    node.append(
      svg('rect', {class: 'progress forward', x: 10, y: 38, height: 3, width: 0}),
      svg('rect', {class: 'progress backward', x: 10, y: 42, height: 3, width: 0}),
    );
  }
}

// --- What a step lights up ---------------------------------------------------------------------

function showInGraph(at) {
  for (const node of picture.lit) node.classList.remove('active', 'used', 'sent');
  picture.lit = [];
  for (const [key, node] of picture.nodes) showBox(boxes.get(key), node, at);
  const step = run.steps[at];
  if (step) LIGHTS[step.kind](step);
}

function showBox(box, node, at) {
  const now = BOX_STATES[box.kind](box, at);
  node.classList.toggle('future', now.future);
  node.classList.toggle('arrived', now.arrived !== null);
  node.classList.toggle('pulled', now.pulled);
  setAttribute(node, 'aria-label', labelOf(box, now));
  if (box.kind === 'group' && box.open) return;
  const gradient = now.arrived === null ? null : scalarText(now.arrived);
  const text = gradient !== null ? `∂ ${gradient}` : now.held ? bytesText(now.held) : '';
  const held = node.querySelector('.held');
  held.classList.toggle('number', gradient !== null);
  if (held.textContent !== text) held.textContent = text;
  setAttribute(node.querySelector('.bar'), 'width', String(barWidth(now.held, box.width - 20)));
  if (box.kind === 'group') showProgress(box, node, at);
}

// By the square root: what holds little is still to be seen beside what holds much.
function barWidth(bytes, most) {
  return bytes
    ? Math.max(3, Math.round(most * Math.sqrt(bytes / Math.max(mostHeldByCall, bytes))))
    : 0;
}

const BOX_STATES = {
  call(box, at) {
    const arrived = gradientAt(box.key, at);
    return {
      future: (stepOfCall.get(box.index) ?? Infinity) > at,
      held: heldByCall(box.index, at),
      arrived,
      pulled: countInPass(pullsOfCall.get(box.index), at) > 0,
    };
  },
  leaf(box, at) {
    return {future: false, held: 0, arrived: gradientAt(box.key, at), pulled: false};
  },
  group(box, at) {
    const pulled = countUpTo(box.pulled, at) > countUpTo(box.pulled, passBegun(at) - 1);
    return {
      future: !(box.ran[0] <= at),
      held: heldByGroup(box, at),
      arrived: null,
      pulled: pulled && passBegun(at) >= 0,
    };
  },
};

function showProgress(box, node, at) {
  const share = (steps, from) =>
    steps.length ? (countUpTo(steps, at) - countUpTo(steps, from)) / box.calls.length : 0;
  const width = box.width - 20;
  setAttribute(
    node.querySelector('.forward'),
    'width',
    String(Math.round(width * share(box.ran, -1))),
  );
  const backward = passBegun(at) < 0 ? 0 : Math.min(1, share(box.pulled, passBegun(at) - 1));
  setAttribute(node.querySelector('.backward'), 'width', String(Math.round(width * backward)));
}

function labelOf(box, now) {
  const words = [boxTitle(box), boxNote(box)];
  if (box.kind === 'leaf') words.push(run.values[box.index].kind);
  if (box.kind === 'group') words.push(box.open ? 'open' : 'folded');
  if (now.future) words.push('not run yet');
  if (now.held) words.push(`holds ${bytesText(now.held)}`);
  if (now.arrived !== null) words.push('gradient arrived');
  if (now.pulled) words.push('rules ran');
  return words.filter((word) => word).join(', ');
}

function light(element, name) {
  if (!element) return;
  element.classList.add(name);
  picture.lit.push(element);
}

function lightBox(key, name = 'active') {
  const box = shownBox(key);
  if (box) light(picture.nodes.get(box.key), name);
}

function lightEdge(from, to, name) {
  const start = shownBox(from);
  const end = shownBox(to);
  if (!start || !end) return;
  const path = picture.paths.get(`${start.key}>${end.key}`);
  if (path) path.parentNode.append(path); // above the others
  light(path, name);
}

const LIGHTS = {
  call(step) {
    lightBox(callKey(step.call));
    for (const from of sources[step.call]) lightEdge(from, callKey(step.call), 'used');
  },
  pull(step) {
    lightBox(callKey(step.call));
    for (const sent of step.sent) {
      lightEdge(keyOf(sent.to), callKey(step.call), 'sent');
      lightBox(keyOf(sent.to), 'sent');
    }
    for (const call of step.calls) lightBox(callKey(call), 'sent');
  },
  change: (step) => lightBox(makerOf(step.value)),
  backward: (step) => step.outputs.forEach((v) => lightBox(makerOf(v))),
  grad: (step) => lightBox(makerOf(step.leaf)),
  passed: () => {},
};

// The boxes that a step is about.
function keysOfStep(step) {
  if (!step) return [];
  if (callOfStep(step) !== null) return [callKey(step.call)];
  if (step.kind === 'backward') return step.outputs.map(makerOf);
  if (step.kind === 'change') return [makerOf(step.value)];
  return step.kind === 'grad' ? [makerOf(step.leaf)] : [];
}

// --- Panning and zooming -----------------------------------------------------------------------

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

function follow(at) {
  const box = keysOfStep(run.steps[at])
    .map(shownBox)
    .find((one) => one);
  if (!box || !byId('follow').checked || byId('graph').hasAttribute('hidden')) return;
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

function toggleGroup(group, open = !group.open) {
  const before = [group.x, group.y];
  group.open = open;
  picture.boxes = arrange();
  picture.view.x += group.x - before[0]; // what was clicked stays where it is
  picture.view.y += group.y - before[1];
  rearrange();
  showTree();
}

function openEvery(open) {
  shownGroups.forEach((group) => {
    group.open = open || group === root;
  });
  rearrange();
  fit(READABLE);
  go(state.step);
  showTree();
}

// A click on a call goes to its step; the next one to where its rules ran.
function activate(key) {
  const box = boxes.get(key);
  if (box.kind === 'group') return toggleGroup(box);
  const steps =
    box.kind === 'call'
      ? [stepOfCall.get(box.index), ...(pullsOfCall.get(box.index) || [])]
      : arrivals.get(key) || [];
  const known = steps.filter((at) => at !== undefined);
  if (known.length) go(known[(known.indexOf(state.step) + 1) % known.length]);
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
