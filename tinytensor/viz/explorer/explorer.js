// The page: which step it is at, what the keys do, and the start.

const state = {step: 0};
const READABLE = 0.75; // scale below which letters are hard to read

// To a step: every part of the page shows it. The address names it, so that it can be linked to.
function go(at) {
  const to = clamp(Number.isFinite(at) ? at : 0, 0, lastStep);
  state.step = to;
  follow(to);
  showInGraph(to);
  showDetails(to);
  showInTimeline(to);
  showInTree(to);
  noteInAddress();
}

// A moment later: browsers refuse to write an address hundreds of times while one drags the slider.
let noting = 0;

function noteInAddress() {
  clearTimeout(noting);
  noting = setTimeout(() => {
    try {
      history.replaceState(null, '', `#step=${state.step}`);
    } catch {
      // A page inside a frame without an origin has no address to change.
    }
  }, 150);
}

function stepOfAddress() {
  const found = /[#&]step=(\d+)/.exec(location.hash);
  return found ? Number(found[1]) : 0;
}

const KEYS = {
  ArrowLeft: MOVES.back,
  ArrowRight: MOVES.on,
  Home: MOVES.first,
  End: MOVES.last,
  PageUp: MOVES['module-back'],
  PageDown: MOVES['module-on'],
  ' ': () => play(),
  '/': () => byId('query').focus(),
  f: () => fit(),
  '+': () => zoom(1.25),
  '-': () => zoom(0.8),
  o: openAround,
};

// Opens the modules around the step's call, or folds the innermost.
function openAround() {
  const [key] = keysOfStep(run.steps[state.step]);
  const around = key ? groupsAround(key) : [];
  if (!around.length) return;
  if (around.every((group) => group.open)) return toggleGroup(around.at(-1), false);
  around.forEach((group) => {
    group.open = true;
  });
  rearrange();
  go(state.step);
}

function listenToKeys() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    const onControl = event.target.closest('button, input, summary, a');
    if (onControl && (event.key === ' ' || onControl.matches('input:not([type=range])'))) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function showTheme() {
  byId('theme').textContent = isDark() ? '☀ light' : '☾ dark';
}

function listenToButtons() {
  const clicks = {
    'as-graph': () => showAs('graph'),
    'as-tree': () => showAs('tree'),
    'open-all': () => openEvery(true),
    'fold-all': () => openEvery(false),
    smaller: () => zoom(0.8),
    larger: () => zoom(1.25),
    fit: () => fit(),
    play: () => play(),
    theme() {
      document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
      showTheme();
    },
  };
  for (const [id, click] of Object.entries(clicks))
    byId(id).addEventListener('click', () => click());
  for (const button of document.querySelectorAll('[data-go]'))
    button.addEventListener('click', MOVES[button.dataset.go]);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showTheme);
  addEventListener('hashchange', () => go(stepOfAddress()));
  addEventListener('resize', draw);
}

function start() {
  openFirst();
  treeOpen.add(root.key);
  startTimeline();
  startGraph();
  fit(READABLE);
  listenToPointer();
  listenToWalk();
  listenToTree();
  listenToSearch();
  listenToKeys();
  listenToButtons();
  showTheme();
  go(stepOfAddress());
}

start();
