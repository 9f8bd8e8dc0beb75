// Search for ops, modules, lines of source and names of variables.

const MOST_FOUND = 60;
let haystack = null; // [{text, title, place, step, key}], made when first one searches

function makeHaystack() {
  const found = run.calls.map((call, i) => {
    const names = call.outputs.map((v) => run.values[v].name).filter((name) => name);
    const module = call.module === null ? '' : moduleName(call.module);
    return entry(
      [call.op, ...names].join(' '),
      [module, lineText(call.line), sourceAt(call.line)],
      stepOfCall.get(i),
      callKey(i),
    );
  });
  for (const box of boxes.values()) {
    if (box.kind === 'leaf' && run.values[box.index].name) {
      const steps = arrivals.get(box.key) || [];
      found.push(
        entry(
          run.values[box.index].name,
          [run.values[box.index].kind, shapeText(run.values[box.index].shape)],
          steps.at(-1),
          box.key,
        ),
      );
    }
  }
  for (const group of shownGroups) {
    if (group.module !== null)
      found.push(
        entry(moduleName(group.module), ['module', callCount(group)], group.ran[0], group.key),
      );
  }
  run.steps.forEach((step, at) => {
    if (step.kind === 'change')
      found.push(entry(step.by, ['change in place', lineText(step.line)], at, null));
  });
  return found;
}

function entry(title, places, step, key) {
  const place = places.filter((text) => text).join(' · ');
  return {title, place, step, key, text: `${title} ${place}`.toLowerCase()};
}

// All words must occur; those whose title has them come first.
function matches(query) {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word);
  if (!words.length) return [];
  haystack = haystack || makeHaystack();
  const found = haystack.filter((one) => words.every((word) => one.text.includes(word)));
  const first = (one) => (one.title.toLowerCase().includes(words[0]) ? 0 : 1);
  return found.sort((a, b) => first(a) - first(b));
}

function showFound() {
  const all = matches(byId('query').value);
  const shown = all.slice(0, MOST_FOUND);
  const list = byId('found');
  list.replaceChildren(
    ...shown.map((one, i) =>
      html(
        'li',
        {
          role: 'option',
          id: `found-${i}`,
          'aria-selected': 'false',
          mousedown: (event) => {
            event.preventDefault(); // the field keeps the focus
            choose(one);
          },
        },
        html('b', {}, one.title),
        html('small', {}, one.place),
      ),
    ),
  );
  if (byId('query').value.trim() && !all.length)
    list.append(html('li', {class: 'note'}, 'Nothing is called so.'));
  if (all.length > MOST_FOUND)
    list.append(html('li', {class: 'note'}, `… and ${all.length - MOST_FOUND} more`));
  list.found = shown;
  const open = list.childElementCount > 0;
  list.toggleAttribute('hidden', !open);
  byId('query').setAttribute('aria-expanded', String(open));
  byId('query').removeAttribute('aria-activedescendant');
}

function closeFound() {
  byId('found').toggleAttribute('hidden', true);
  byId('query').setAttribute('aria-expanded', 'false');
}

function choose(one) {
  closeFound();
  if (one.key) for (const group of groupsAround(one.key)) group.open = true;
  rearrange();
  if (one.step !== undefined) go(one.step);
  else if (one.key) lightBox(one.key);
}

function selectFound(direction) {
  const options = [...byId('found').querySelectorAll('[role=option]')];
  if (!options.length) return;
  const before = options.findIndex((node) => node.getAttribute('aria-selected') === 'true');
  const at =
    (before + direction + options.length + (before < 0 && direction < 0 ? 1 : 0)) % options.length;
  options.forEach((node, i) => node.setAttribute('aria-selected', String(i === at)));
  options[at].scrollIntoView({block: 'nearest'});
  byId('query').setAttribute('aria-activedescendant', options[at].id);
}

function chosenOne() {
  const options = [...byId('found').querySelectorAll('[role=option]')];
  const at = options.findIndex((node) => node.getAttribute('aria-selected') === 'true');
  return (byId('found').found || [])[Math.max(at, 0)];
}

const SEARCH_KEYS = {
  ArrowDown: () => selectFound(1),
  ArrowUp: () => selectFound(-1),
  Enter: () => {
    const one = chosenOne();
    if (one) choose(one);
  },
  Escape: () => {
    closeFound();
    byId('query').blur();
  },
};

function listenToSearch() {
  const query = byId('query');
  query.addEventListener('input', showFound);
  query.addEventListener('blur', closeFound);
  query.addEventListener('focus', () => {
    if (query.value) showFound();
  });
  query.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (!(event.key in SEARCH_KEYS)) return;
    event.preventDefault();
    SEARCH_KEYS[event.key]();
  });
}
