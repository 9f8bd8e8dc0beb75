// Opening and folding of modules, clicks on boxes, and walking along the edges by keys.

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

// --- By keys -----------------------------------------------------------------------------------

// One box is a stop of the Tab key, that of the step; from there arrows lead along the edges.
function stopAt(key, focus) {
  picture.nodes.get(picture.stop)?.setAttribute('tabindex', '-1');
  picture.stop = key;
  const node = picture.nodes.get(key);
  node?.setAttribute('tabindex', '0');
  if (focus) node?.focus({preventScroll: true});
}

function hasFocus() {
  return byId('graph').contains(document.activeElement);
}

// Up to what a box took, down to who took what it made: to the nearest, sideways.
function walk(from, to) {
  const here = boxes.get(picture.stop);
  const ends = picture.edges.filter((edge) => edge[from] === here).map((edge) => edge[to]);
  const away = (box) => Math.abs(middle(box) - middle(here));
  const next = ends.sort((a, b) => away(a) - away(b))[0];
  if (!next) return;
  bringIntoView(next);
  stopAt(next.key, true);
}

const GRAPH_KEYS = {
  ArrowUp: () => walk('end', 'start'),
  ArrowDown: () => walk('start', 'end'),
  Enter: () => activate(picture.stop),
  ' ': () => activate(picture.stop),
};

function listenToWalk() {
  byId('graph').addEventListener('keydown', (event) => {
    if (!(event.key in GRAPH_KEYS) || !hasFocus()) return;
    event.preventDefault();
    event.stopPropagation(); // the space key plays elsewhere
    GRAPH_KEYS[event.key]();
  });
}
