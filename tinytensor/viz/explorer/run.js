// The recorded run, and indices over it: what holds at a step is found in O(log n), not by a walk.

const run = JSON.parse(byId('data').textContent);
const lastStep = Math.max(run.steps.length - 1, 0);

// How many of the ascending numbers are at most `limit`.
function countUpTo(sorted, limit) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function pushTo(map, key, item) {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}

// A call or a leaf by one key, for maps: 'c12', 'v3'.
const callKey = (call) => 'c' + call;
const leafKey = (value) => 'v' + value;
const keyOf = (target) => ('call' in target ? callKey(target.call) : leafKey(target.leaf));

// Where things happen; every list of steps is ascending, as it is made by one walk over the steps.
const stepOfCall = new Map(); // call -> the step that ran it; of one that a rule made, the pull
const pullsOfCall = new Map(); // call -> steps that ran its rules
const arrivals = new Map(); // key of a call or leaf -> steps that sent it a cotangent
const totals = new Map(); // the same key -> the sum of what had arrived by each of these steps
const heldChanges = new Map(); // call -> [{step, bytes}], what it holds from that step on
const passBegins = []; // steps at which a backward pass begins
const moduleRuns = []; // first steps of stretches in one module
let mostHeld = 0;
let mostHeldByCall = 0;

function bytesOf(items) {
  return items.reduce((sum, item) => sum + (item.bytes || 0), 0);
}

// The call that a step is about, if it is about one; what was called before the recording has none.
function callOfStep(step) {
  return step?.call ?? null;
}

function moduleOfStep(step) {
  return run.calls[callOfStep(step)]?.module ?? null;
}

function noteHeld(call, step, bytes) {
  const changes = heldChanges.get(call);
  const before = changes ? changes[changes.length - 1].bytes : 0;
  const now = Math.max(before + bytes, 0);
  pushTo(heldChanges, call, {step, bytes: now});
  mostHeldByCall = Math.max(mostHeldByCall, now);
}

function noteArrival(key, at, total) {
  if (arrivals.get(key)?.at(-1) === at) {
    totals.get(key).pop();
  } else {
    pushTo(arrivals, key, at);
  }
  pushTo(totals, key, total);
}

function noteCall(index, at) {
  stepOfCall.set(index, at);
  const saved = bytesOf(run.calls[index].saved.filter((item) => item.owns));
  if (saved) noteHeld(index, at, saved);
}

function notePull(step, at) {
  pushTo(pullsOfCall, step.call, at);
  noteArrival(callKey(step.call), at, step.g[0]); // a seed comes from no call
  for (const sent of step.sent) noteArrival(keyOf(sent.to), at, sent.total);
  const freed = bytesOf(step.freed);
  if (freed) noteHeld(step.call, at, -freed);
  for (const call of step.calls) noteCall(call, at);
}

function noteStep(step, at) {
  mostHeld = Math.max(mostHeld, step.bytes || 0);
  if (step.kind === 'call') noteCall(step.call, at);
  else if (step.kind === 'pull') notePull(step, at);
  else if (step.kind === 'backward') passBegins.push(at);
}

run.steps.forEach(noteStep);
run.steps.forEach((step, at) => {
  if (at === 0 || moduleOfStep(step) !== moduleOfStep(run.steps[at - 1])) moduleRuns.push(at);
});

// The step at which the backward pass began that is under way, or the last one; -1 before all.
function passBegun(at) {
  const begun = countUpTo(passBegins, at);
  return begun ? passBegins[begun - 1] : -1;
}

// How many of `steps` are up to `at`, if the last of them belongs to the last backward pass; or 0.
function countInPass(steps, at) {
  if (!steps) return 0;
  const count = countUpTo(steps, at);
  const begun = passBegun(at);
  return count && begun >= 0 && steps[count - 1] >= begun ? count : 0;
}

function heldByCall(call, at) {
  const changes = heldChanges.get(call);
  if (!changes) return 0;
  let bytes = 0;
  for (const change of changes) {
    // two or three of them
    if (change.step > at) break;
    bytes = change.bytes;
  }
  return bytes;
}

// The cotangent that has arrived at a call or leaf by a step, as an index of a value, or null.
function gradientAt(key, at) {
  const count = countInPass(arrivals.get(key), at);
  return count ? totals.get(key)[count - 1] : null;
}

// Where the edges to a call come from. To a recorded call they are those of the graph: after a
// change in place an input's gradient goes to the call that changed it, not to its first maker.
const sources = run.calls.map((call) => {
  const inputs = call.inputs.filter((input) => 'value' in input).map((input) => input.value);
  const tracked = inputs.filter((v) => run.values[v].tracked);
  const known = tracked.length === call.parents.length;
  const from = inputs.map((v) => {
    const parent = known ? call.parents[tracked.indexOf(v)] : null;
    return (parent ?? null) === null ? makerOf(v) : callKey(parent);
  });
  const parents = known ? [] : call.parents.filter((parent) => parent !== null).map(callKey);
  return [...new Set([...from, ...parents])];
});

function makerOf(index) {
  const {made_by: call} = run.values[index];
  return call === null || call === undefined ? leafKey(index) : callKey(call);
}

// --- Words for things --------------------------------------------------------------------------

function moduleName(module) {
  if (module === null || module === undefined) return '';
  const {name, kind} = run.modules[module];
  return name ? `${name} (${kind})` : kind;
}

// Of a long path the part that tells: from the package on, or the file and its folder.
function fileName(file) {
  const parts = run.files[file].name.split(/[/\\]/);
  const home = parts.lastIndexOf('tinytensor');
  return parts.slice(home >= 0 && home < parts.length - 1 ? home : -2).join('/');
}

function lineText(line) {
  return line ? `${fileName(line[0])}:${line[1]}` : '';
}

function sourceAt(line) {
  return line ? (run.files[line[0]].lines[line[1]] || '').trim() : '';
}

function valueName(index) {
  const value = run.values[index];
  if (value.name) return value.name;
  if (value.kind !== 'cotangent' && (value.made_by ?? null) !== null)
    return `output of ${opOf(value.made_by)}`;
  return value.kind;
}

function opOf(call) {
  return run.calls[call]?.op ?? 'a call before the recording';
}

function targetName(target) {
  return 'call' in target ? opOf(target.call) : valueName(target.leaf);
}

function inputText(input) {
  return 'value' in input ? run.values[input.value].name || input.name : input.literal;
}

function callSentence(index) {
  const call = run.calls[index];
  const shapes = call.outputs.map((v) => shapeText(run.values[v].shape)).join(', ');
  return `${call.op}(${call.inputs.map(inputText).join(', ')}) gives ${shapes}`;
}

// One sentence for what a step does: the live region, the slider and the tree speak it.
const SENTENCES = {
  call: (step) => callSentence(step.call),
  change: (step) => `${step.by} changes ${valueName(step.value)} in place: version ${step.version}`,
  backward: (step) => `A pass begins at ${step.outputs.map(valueName).join(', ')}`,
  pull(step) {
    const to = [...new Set(step.sent.map((sent) => targetName(sent.to)))].join(', ');
    return `${opOf(step.call)} sends ` + (to ? `cotangents to ${to}` : 'nothing on');
  },
  grad: (step) => `The gradient of ${valueName(step.leaf)} is complete`,
  passed: () => 'The pass is over',
};

function sentenceOf(at) {
  const step = run.steps[at];
  return step ? SENTENCES[step.kind](step) : 'Nothing was recorded';
}

const KIND_NAMES = {
  call: 'Forward',
  change: 'Change in place',
  backward: 'Backward begins',
  pull: 'Backward',
  grad: 'Gradient',
  passed: 'Backward ends',
};

function kindName(step) {
  return KIND_NAMES[step.kind] + (step.order > 1 ? ` (order ${step.order})` : '');
}
