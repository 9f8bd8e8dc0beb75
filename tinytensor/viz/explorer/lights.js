// What a step lights up in the picture, and what each box says of itself at that step.

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
