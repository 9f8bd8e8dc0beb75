// The picture: boxes and edges as elements of SVG.
// Only what is near the view has elements, so thousands of boxes cost no more than a screenful.

const picture = {
  view: {x: 0, y: 0, scale: 1}, // the place in the picture of the view's corner, and pixels a unit
  boxes: [], // all that are to be seen if one pans
  edges: [],
  drawn: null, // the area that has elements
  nodes: new Map(), // elements of boxes by key
  paths: new Map(), // and of edges
  lit: [], // elements that the step lights up
  stop: null, // key of the box at which the Tab key stops
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
  const area = viewArea(0.6);
  const hadFocus = hasFocus();
  picture.drawn = area;
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
  stopAt(picture.stop, hadFocus);
}

function drawEdge(edge) {
  const path = svg('path', {
    d: edge.path,
    class: `edge${edge.long ? ' long' : ''}${edge.shared ? ' shared' : ''}`,
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
    tabindex: -1,
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
