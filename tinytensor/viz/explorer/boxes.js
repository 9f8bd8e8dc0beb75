// Boxes of calls, leaves and modules, stacked by the layout that the recording brings: its layers
// are rows, and an open module is as large as what stands in it.

const PADDING = 16;
const TITLE = 24;
const ROW_GAP = 36;
const BOX_GAP = 22;
const LETTER = 7.3; // width of a letter of the nodes' font, at 12 pixels
const MOST_LETTERS = 28;
const FEW = 24; // with at most so many calls, modules are open from the start,
const SMALL = 8; // if they have at most so many themselves

// A box: {key, kind, index, group (around it), children, rows, open, module, calls,
//         x, y, width, height (of its corner and size), row (in the group)}
const boxes = new Map(); // by key: 'c12' a call, 'v3' a leaf, 'g1' a module
const groups = run.layout.groups.map((layout, i) =>
  Object.assign(makeBox('g' + i, 'group', i), {
    layout,
    module: layout.module,
    order: layout.order,
    visit: layout.visit,
    open: false,
    calls: [],
    rows: [],
    edges: [],
  }),
);
const root = linkGroups();
const shownGroups = [...boxes.values()].filter((box) => box.kind === 'group');

function makeBox(key, kind, index) {
  const box = {
    key,
    kind,
    index,
    group: null,
    children: [],
    row: 0,
    x: 0,
    y: 0,
    width: 0,
    height: 0,
  };
  boxes.set(key, box);
  return box;
}

function childBox(child) {
  if ('group' in child) return groups[child.group];
  return 'call' in child
    ? makeBox(callKey(child.call), 'call', child.call)
    : makeBox(leafKey(child.leaf), 'leaf', child.leaf);
}

// A child may be hidden; edges name children by their positions.
function linkGroups() {
  const {hidden, used} = whatIsHidden();
  hidden.forEach((index) => boxes.delete('g' + index));
  const isShown = (child) =>
    'group' in child ? !hidden.has(child.group) : 'call' in child || used.has(leafKey(child.leaf));
  for (const group of groups.filter((one) => !hidden.has(one.index))) {
    const {layout} = group;
    const linked = layout.children.map((child, at) =>
      isShown(child)
        ? Object.assign(childBox(child), {group, row: layout.layer[at], place: layout.place[at]})
        : null,
    );
    group.children = linked.filter((box) => box);
    group.edges = layout.edges
      .map(([from, to]) => [linked[from], linked[to]])
      .filter(([from, to]) => from && to);
    group.rows = rowsOf(group.children);
  }
  return groups[0];
}

// What a backward pass did without recording it stands in the panel of its steps, not in the graph:
// no gradient flows through it. Neither do leaves that it alone used.
function whatIsHidden() {
  const used = new Set();
  const hidden = new Set();
  const visit = (index, inHidden) => {
    const {children, order} = run.layout.groups[index];
    const hide =
      inHidden || (order > 0 && !callsBelow(index).some((call) => run.calls[call].recorded));
    if (hide) hidden.add(index);
    for (const child of children) {
      if ('group' in child) visit(child.group, hide);
      else if ('call' in child && !hide) sources[child.call].forEach((key) => used.add(key));
    }
  };
  visit(0, false);
  return {hidden, used};
}

function callsBelow(index) {
  return run.layout.groups[index].children.flatMap((child) =>
    'group' in child ? callsBelow(child.group) : 'call' in child ? [child.call] : [],
  );
}

function rowsOf(children) {
  const rows = [];
  for (const box of children) (rows[box.row] = rows[box.row] || []).push(box);
  const filled = rows.filter((row) => row);
  filled.forEach((row, i) => {
    row.sort((a, b) => a.place - b.place);
    row.forEach((box) => {
      box.row = i;
    });
  });
  return filled;
}

// Calls below a group, with the steps at which they ran, were reached and were pulled, ascending.
function noteCalls(group) {
  for (const box of group.children) {
    if (box.kind === 'group') group.calls.push(...noteCalls(box));
    else if (box.kind === 'call') group.calls.push(box.index);
  }
  const ascending = (lists) =>
    lists
      .flat()
      .filter((at) => at !== undefined)
      .sort((a, b) => a - b);
  group.ran = ascending(group.calls.map((call) => stepOfCall.get(call)));
  group.pulled = ascending(group.calls.map((call) => pullsOfCall.get(call) || []));
  group.held = heldSums(group.calls);
  return group.calls;
}

// What the calls hold together: [{step, bytes}] with bytes from that step on.
function heldSums(calls) {
  const changes = [];
  for (const call of calls) {
    let before = 0;
    for (const {step, bytes} of heldChanges.get(call) || []) {
      changes.push({step, change: bytes - before});
      before = bytes;
    }
  }
  changes.sort((a, b) => a.step - b.step);
  let bytes = 0;
  const sums = changes.map(({step, change}) => ({step, bytes: (bytes += change)}));
  return {steps: sums.map((sum) => sum.step), bytes: sums.map((sum) => sum.bytes)};
}

function heldByGroup(group, at) {
  const count = countUpTo(group.held.steps, at);
  return count ? group.held.bytes[count - 1] : 0;
}

// The groups around a box, the outermost first, without the root.
function groupsAround(key) {
  const around = [];
  for (let box = boxes.get(key)?.group; box && box !== root; box = box.group) around.unshift(box);
  return around;
}

// What is to be seen of a box: itself, or the outermost folded module around it.
function shownBox(key) {
  return groupsAround(key).find((group) => !group.open) || boxes.get(key) || null;
}

// --- Names and sizes ---------------------------------------------------------------------------

function shortened(text, most = MOST_LETTERS) {
  return text.length > most ? text.slice(0, most - 1) + '…' : text;
}

const again = (group) => (group.visit ? ` #${group.visit + 1}` : '');

// A name inside a module needs not say the module's.
function insideOf(group, name) {
  const outer = run.modules[group?.module]?.name;
  return outer && name.startsWith(outer + '.') ? name.slice(outer.length + 1) : name;
}

// A module that is called again is counted.
function groupTitle(group) {
  if (group.module === null)
    return group.order ? `Backward, recorded (order ${group.order})${again(group)}` : 'Run';
  const {name, kind} = run.modules[group.module];
  const own = insideOf(group.group, name);
  return (own ? `${own}: ${kind}` : kind) + again(group);
}

function boxTitle(box) {
  if (box.kind === 'group') return shortened(groupTitle(box));
  if (box.kind === 'leaf') return shortened(insideOf(box.group, valueName(box.index)));
  const call = run.calls[box.index];
  const name = run.values[call.outputs[0]]?.name;
  return shortened(name ? `${name} = ${call.op}` : call.op);
}

function callCount(group) {
  return group.calls.length === 1 ? '1 call' : `${group.calls.length} calls`;
}

// The value that stands for a box: the number of scalars, or the shape.
function boxValue(box) {
  return box.kind === 'leaf' ? box.index : run.calls[box.index].outputs[0];
}

function boxNote(box) {
  if (box.kind === 'group') return callCount(box);
  const value = boxValue(box);
  if (value === undefined) return '';
  return scalarText(value) ?? shapeText(run.values[value].shape);
}

// Beside its number a scalar shows its gradient, which takes more room than what a call holds.
function isScalar(box) {
  return box.kind !== 'group' && scalarText(boxValue(box)) !== null;
}

function measure(box) {
  if (box.kind === 'group' && box.open) return stack(box);
  const letters = Math.max(
    boxTitle(box).length + 2,
    boxNote(box).length + (isScalar(box) ? 14 : 9),
  );
  box.width = Math.round(letters * LETTER + 20);
  box.height = box.kind === 'leaf' ? 34 : box.kind === 'call' ? 40 : 52;
}

// --- Places ------------------------------------------------------------------------------------

// Sizes and places of all that an open group holds, relative to the group until `settle`.
function stack(group) {
  group.children.forEach(measure);
  placeColumns(group);
  let y = TITLE + PADDING;
  group.bands = group.rows.map((row) => {
    const height = Math.max(...row.map((box) => box.height));
    row.forEach((box) => {
      box.y = y + (height - box.height) / 2;
    });
    const band = {top: y, bottom: y + height};
    y += height + ROW_GAP;
    return band;
  });
  const left = Math.min(...group.children.map((box) => box.x), 0);
  group.children.forEach((box) => {
    box.x += PADDING - left;
  });
  const right = Math.max(
    ...group.children.map((box) => box.x + box.width),
    groupTitle(group).length * LETTER,
  );
  group.width = right + PADDING;
  group.height = y - ROW_GAP + PADDING;
}

// Every box goes as near as its neighbours in the row allow to the middle of what it is joined to.
function placeColumns(group) {
  for (const box of group.children) box.joined = {above: [], below: []};
  for (const [from, to] of group.edges) {
    to.joined.above.push(from);
    from.joined.below.push(to);
  }
  for (const row of group.rows)
    spread(
      row,
      row.map(() => 0),
    );
  for (let round = 0; round < 4; round++) {
    for (const row of group.rows)
      spread(
        row,
        row.map((box) => wanted(box, 'above')),
      );
    for (const row of [...group.rows].reverse())
      spread(
        row,
        row.map((box) => wanted(box, 'below')),
      );
  }
}

const middle = (box) => box.x + box.width / 2;

function wanted(box, side) {
  const others = box.joined[side].length
    ? box.joined[side]
    : box.joined[side === 'above' ? 'below' : 'above'];
  if (!others.length) return middle(box);
  return others.reduce((sum, other) => sum + middle(other), 0) / others.length;
}

// The places nearest to the wanted middles, by least squares, that keep order and distance:
// neighbours that would overlap become a block, which stands at the mean of what they want.
function spread(row, middles) {
  const blocks = [];
  let offset = 0;
  row.forEach((box, i) => {
    box.offset = offset; // of its left side from that of the row's first box, packed closely
    let block = {first: i, sum: middles[i] - box.width / 2 - offset, count: 1};
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).count >= block.sum / block.count) {
      const before = blocks.pop();
      block = {first: before.first, sum: before.sum + block.sum, count: before.count + block.count};
    }
    blocks.push(block);
    offset += box.width + BOX_GAP;
  });
  blocks.forEach((block, i) => {
    const end = i + 1 < blocks.length ? blocks[i + 1].first : row.length;
    for (let at = block.first; at < end; at++) row[at].x = row[at].offset + block.sum / block.count;
  });
}

// Absolute places, and the list of all that is to be seen, outer boxes before inner ones.
function settle(group, x, y, shown) {
  group.x = x;
  group.y = y;
  group.bands.forEach((band) => {
    band.top += y;
    band.bottom += y;
  });
  for (const box of group.children) {
    shown.push(box);
    if (box.kind === 'group' && box.open) settle(box, x + box.x, y + box.y, shown);
    else {
      box.x += x;
      box.y += y;
    }
  }
  return shown;
}

function arrange() {
  stack(root);
  return settle(root, 0, 0, []);
}

// --- What is open ------------------------------------------------------------------------------

function openFirst() {
  noteCalls(root);
  for (const group of shownGroups) {
    group.open = group === root || (root.calls.length <= FEW && group.calls.length <= SMALL);
  }
  for (const group of shownGroups) {
    // the model's own box, around everything, would hide it
    if (group.module !== null && !run.modules[group.module].name) group.open = true;
  }
}
