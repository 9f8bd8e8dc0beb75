// The tree: modules, calls and backward passes as a list, for the keyboard and for screen readers.
// An item has elements only while what is around it is open, and a long list only its head.

const AT_ONCE = 200; // items of one list before "more"
const treeOpen = new Set();
const treeShown = new Map(); // how many items of a long list are shown

// Items: {key, text, step, children: function or null}. The roots are what ran, and each pass back.
function treeRoots() {
  const passes = passBegins.map((at, i) => ({
    key: `p${at}`,
    text: `Backward pass ${i + 1}`,
    step: at,
    children: () => pullItems(at),
  }));
  return [
    {key: root.key, text: 'Forward', step: null, children: () => groupItems(root)},
    ...passes,
  ];
}

function boxItem(box) {
  if (box.kind === 'group') {
    return {
      key: box.key,
      text: `${groupTitle(box)}, ${callCount(box)}`,
      step: box.ran[0],
      children: () => groupItems(box),
    };
  }
  const steps = box.kind === 'call' ? [stepOfCall.get(box.index)] : arrivals.get(box.key) || [];
  return {
    key: box.key,
    text: `${boxTitle(box)}, ${boxNote(box)}`,
    step: steps[0],
    box,
    children: null,
  };
}

// Calls that rules made stand below the step that ran them.
function groupItems(group) {
  return group.children
    .filter((box) => !(box.kind === 'group' && box.order > group.order))
    .map(boxItem);
}

function pullItems(begin) {
  const {pass} = run.steps[begin];
  const items = [];
  for (let at = begin; at < run.steps.length; at++) {
    const step = run.steps[at];
    if (step.pass !== pass) continue;
    if (step.kind === 'passed') break;
    if (step.kind !== 'backward') items.push(stepItem(at));
  }
  return items;
}

function stepItem(at) {
  const {calls = []} = run.steps[at];
  const inner = (call) => ({key: `i${call}`, text: callSentence(call), step: at, children: null});
  return {
    key: `s${at}`,
    text: sentenceOf(at),
    step: at,
    children: calls.length ? () => calls.map(inner) : null,
  };
}

function treeItem(item, level) {
  const open = item.children && treeOpen.has(item.key);
  const node = html(
    'li',
    {
      role: 'treeitem',
      'aria-level': level,
      tabindex: -1,
      'data-key': item.key,
      'data-step': item.step ?? null,
      'aria-expanded': item.children ? String(Boolean(open)) : null,
    },
    html(
      'span',
      {class: 'item'},
      item.children ? html('i', {'aria-hidden': 'true'}, open ? '▾ ' : '▸ ') : null,
      item.text,
      item.box && html('small', {'data-held': item.box.key}),
    ),
  );
  if (open) node.append(html('ul', {role: 'group'}, treeItems(item, level + 1)));
  return node;
}

function treeItems(item, level) {
  const all = item.children();
  const count = treeShown.get(item.key) || AT_ONCE;
  const nodes = all.slice(0, count).map((child) => treeItem(child, level));
  if (all.length > count) {
    nodes.push(
      html(
        'li',
        {role: 'treeitem', 'aria-level': level, tabindex: -1, 'data-more': item.key},
        `… ${all.length - count} more`,
      ),
    );
  }
  return nodes;
}

function showTree() {
  const tree = byId('tree');
  if (tree.hasAttribute('hidden')) return;
  const focused = tree.querySelector('[tabindex="0"]')?.dataset.key;
  const hadFocus = tree.contains(document.activeElement);
  tree.replaceChildren(...treeRoots().map((item) => treeItem(item, 1)));
  focusItem(
    tree.querySelector(`[data-key="${focused}"]`) || tree.querySelector('[role=treeitem]'),
    hadFocus,
  );
  showInTree(state.step);
}

// The step's item, and what calls hold now; only items that have elements are asked.
function showInTree(at) {
  const tree = byId('tree');
  if (tree.hasAttribute('hidden')) return;
  for (const small of tree.querySelectorAll('[data-held]')) {
    const box = boxes.get(small.dataset.held);
    const now = BOX_STATES[box.kind](box, at);
    const text =
      (now.held ? `  holds ${bytesText(now.held)}` : '') +
      (now.arrived !== null ? '  gradient arrived' : '');
    if (small.textContent !== text) small.textContent = text;
  }
  for (const node of tree.querySelectorAll('[aria-current]')) node.removeAttribute('aria-current');
  for (const node of tree.querySelectorAll(`[data-step="${at}"]`))
    node.setAttribute('aria-current', 'step');
}

// One item of the tree is a stop of the Tab key; arrows go on from there.
function focusItem(node, focus = true) {
  if (!node) return;
  for (const other of byId('tree').querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  node.tabIndex = 0;
  if (focus) node.focus();
}

function setTreeOpen(node, open) {
  if (open) treeOpen.add(node.dataset.key);
  else treeOpen.delete(node.dataset.key);
  focusItem(node, false);
  showTree();
}

function activateItem(node) {
  if (node.dataset.more) {
    treeShown.set(node.dataset.more, (treeShown.get(node.dataset.more) || AT_ONCE) + AT_ONCE);
    return showTree();
  }
  if (node.dataset.step !== undefined) go(Number(node.dataset.step));
  if (node.hasAttribute('aria-expanded'))
    setTreeOpen(node, node.getAttribute('aria-expanded') === 'false');
}

const TREE_KEYS = {
  ArrowDown: (items, at) => focusItem(items[at + 1]),
  ArrowUp: (items, at) => focusItem(items[at - 1]),
  Home: (items) => focusItem(items[0]),
  End: (items) => focusItem(items.at(-1)),
  Enter: (items, at) => activateItem(items[at]),
  ' ': (items, at) => activateItem(items[at]),
  ArrowRight(items, at) {
    if (items[at].getAttribute('aria-expanded') === 'false') setTreeOpen(items[at], true);
    else if (items[at].hasAttribute('aria-expanded')) focusItem(items[at + 1]);
  },
  ArrowLeft(items, at) {
    if (items[at].getAttribute('aria-expanded') === 'true') setTreeOpen(items[at], false);
    else focusItem(items[at].parentNode.closest('[role=treeitem]'));
  },
};

function listenToTree() {
  const tree = byId('tree');
  tree.addEventListener('keydown', (event) => {
    const items = [...tree.querySelectorAll('[role=treeitem]')];
    const at = items.indexOf(document.activeElement);
    if (!(event.key in TREE_KEYS) || at < 0) return;
    event.preventDefault();
    event.stopPropagation(); // arrows step through the run elsewhere
    TREE_KEYS[event.key](items, at);
  });
  tree.addEventListener('click', (event) => {
    const node = event.target.closest('[role=treeitem]');
    if (!node) return;
    focusItem(node);
    activateItem(node);
  });
}

function showAs(which) {
  const asTree = which === 'tree';
  byId('picture').classList.toggle('as-tree', asTree);
  byId('graph').toggleAttribute('hidden', asTree);
  byId('tree').toggleAttribute('hidden', !asTree);
  byId('as-graph').setAttribute('aria-pressed', String(!asTree));
  byId('as-tree').setAttribute('aria-pressed', String(asTree));
  if (asTree) showTree();
  else draw();
}
