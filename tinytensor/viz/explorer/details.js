// The panel of one step: its line of source, the rule, and every number that went in or out.

function goLink(at, ...text) {
  return html(
    'button',
    {type: 'button', class: 'link', 'data-step': at, click: () => go(at)},
    text,
  );
}

function callLink(call) {
  const at = stepOfCall.get(call);
  const name = opOf(call);
  return at === undefined ? name : goLink(at, name);
}

function badge(text, title) {
  return html('span', {class: 'badge', title}, text);
}

function part(title, ...content) {
  return html('section', {class: 'part'}, html('h3', {}, title), content);
}

// --- Source ------------------------------------------------------------------------------------

function sourceLine(number, text, here) {
  return html(
    'span',
    {class: here ? 'line here' : 'line', 'aria-current': here ? 'true' : null},
    html('i', {}, String(number)),
    text + '\n',
  );
}

// The line itself, and of its neighbours those that the recording holds; all moved left together.
function source(line) {
  if (!line) return null;
  const [file, number] = line;
  const {name, lines} = run.files[file];
  const near = [-2, -1, 0, 1, 2].map((step) => number + step).filter((n) => lines[n] !== undefined);
  const indents = near.filter((n) => lines[n].trim()).map((n) => lines[n].search(/\S/));
  const indent = Math.min(...indents, Infinity);
  return html(
    'figure',
    {class: 'source'},
    html('figcaption', {title: name}, lineText(line)),
    near.length > 0 &&
      html(
        'pre',
        {},
        near.map((n) => sourceLine(n, lines[n].slice(indent), n === number)),
      ),
  );
}

function ruleSource(rule) {
  const place =
    rule.file === null || rule.file === undefined ? '' : lineText([rule.file, rule.line]);
  return html(
    'figure',
    {class: 'source'},
    html('figcaption', {}, place, rule.formula ? ' (derivative of a plain formula)' : ''),
    html('pre', {}, html('span', {class: 'line here'}, rule.source)),
  );
}

// --- Values ------------------------------------------------------------------------------------

function valueBadges(value) {
  return [
    value.level
      ? badge(`vmap level ${value.level}`, 'Has an axis of lanes that the function does not see')
      : null,
    value.version
      ? badge(`version ${value.version}`, 'How often its storage was changed in place')
      : null,
    value.view_of !== null && value.view_of !== undefined
      ? badge(`view of ${valueName(value.view_of)}`, 'They share memory')
      : null,
    value.tracked ? badge('tracked', 'Gradients flow to it') : null,
  ];
}

// A value with all its numbers, under the words that say what it is here.
function valueCard(index, role) {
  if (index === null || index === undefined) return null;
  const value = run.values[index];
  const name =
    value.name || (value.kind === 'cotangent' || role.startsWith('out') ? '' : valueName(index));
  return html(
    'div',
    {
      class: `value ${value.kind}`,
      'data-value': index,
      role: 'group',
      'aria-label': `${role} ${name}`,
    },
    html(
      'div',
      {class: 'head'},
      html('b', {}, role),
      name && name !== role && html('span', {class: 'name'}, name),
      html('span', {class: 'type'}, `${value.dtype} ${shapeText(value.shape)}`),
      valueBadges(value),
    ),
    numbersOf(value),
  );
}

// --- A call ------------------------------------------------------------------------------------

function inputCard(input) {
  return 'value' in input
    ? valueCard(input.value, input.name)
    : html(
        'div',
        {class: 'value literal'},
        html('b', {}, input.name),
        ' ',
        html('code', {}, input.literal),
      );
}

function settings(call) {
  const names = Object.keys(call.static || {});
  return (
    names.length > 0 &&
    part(
      'Settings',
      html(
        'dl',
        {class: 'settings'},
        names.map((name) =>
          html(
            'div',
            {},
            html('dt', {}, name),
            html('dd', {}, html('code', {}, call.static[name])),
          ),
        ),
      ),
    )
  );
}

function reasons(saved) {
  return (saved.why || []).map((rule) => {
    const {inputs, source} = run.rules[rule];
    return html('span', {class: 'why', title: source}, `rule for ${inputs.join(', ')}`);
  });
}

function savedRow(saved) {
  const size = saved.owns ? bytesText(saved.bytes) : 'nothing more';
  const title = saved.owns
    ? 'Memory that this call keeps'
    : 'A leaf, or memory that is counted already';
  return html(
    'tr',
    {},
    html('th', {scope: 'row'}, saved.name),
    html('td', {title}, size),
    html('td', {}, reasons(saved)),
  );
}

function savedTable(call) {
  if (!call.recorded)
    return html('p', {class: 'note'}, 'Not recorded: no gradient can flow through this call.');
  if (!call.saved.length)
    return html('p', {class: 'note'}, 'Nothing: no rule that will run names a value.');
  return html(
    'table',
    {class: 'rows'},
    html(
      'thead',
      {},
      html(
        'tr',
        {},
        ['what', 'memory', 'because it is named by the'].map((name) =>
          html('th', {scope: 'col'}, name),
        ),
      ),
    ),
    html('tbody', {}, call.saved.map(savedRow)),
  );
}

function callFacts(call) {
  return [
    call.level ? badge(`vmap level ${call.level}`) : null,
    call.order ? badge(`order ${call.order}`, 'Made by a rule inside a backward pass') : null,
    call.view ? badge('view', 'The output shares memory with the first input') : null,
    call.recorded
      ? badge(`depth ${call.depth}`, 'One more than its parents: backward takes the deepest first')
      : null,
  ];
}

// What went in and came out; of a call that a rule made this stands inside the pull.
function callNumbers(call) {
  return [
    part('In', call.inputs.map(inputCard)),
    settings(call),
    part(
      'Out',
      call.outputs.map((v, i) => valueCard(v, call.outputs.length > 1 ? `out ${i}` : 'out')),
    ),
    part('Saved for backward', savedTable(call)),
  ];
}

function callDetails(step) {
  const call = run.calls[step.call];
  const pulls = pullsOfCall.get(step.call) || [];
  return [
    html(
      'p',
      {class: 'facts'},
      callFacts(call),
      pulls.map((at) => ['its rules run in ', goLink(at, `step ${at + 1}`), ' ']),
    ),
    source(call.line),
    callNumbers(call),
  ];
}

// --- Backward ----------------------------------------------------------------------------------

function ruleCard(used) {
  const rule = run.rules[used.rule];
  return html(
    'section',
    {class: 'part rule'},
    html('h3', {}, `Rule for ${used.input || rule.inputs.join(', ')}`),
    ruleSource(rule),
    (used.used || []).length > 0 &&
      html(
        'details',
        {},
        html('summary', {}, `It used ${used.used.map((one) => one.name).join(', ')}`),
        used.used.map(inputCard),
      ),
    valueCard(used.cotangent, 'cotangent'),
  );
}

// The rule that gave what was sent; several may have given the same cotangent, in that order.
function ruleOfSent(step, i) {
  const same = (items) => items.filter((item) => item.cotangent === step.sent[i].cotangent);
  const before = same(step.sent.slice(0, i)).length;
  return same(step.rules)[before];
}

// What became of a cotangent on its way: summed over broadcast axes, then added to what was there.
function sentCard(sent, rule) {
  const sum = sent.added_to !== null && sent.added_to !== undefined;
  const fitted = sent.fitted !== null && sent.fitted !== undefined;
  const plain = rule && !sum && !fitted;
  return html(
    'div',
    {class: 'sent'},
    html(
      'h4',
      {},
      'to ',
      'call' in sent.to ? callLink(sent.to.call) : targetName(sent.to),
      rule &&
        html(
          'span',
          {class: 'note'},
          ` from the rule for ${rule.input}${plain ? ', as it is' : ''}`,
        ),
    ),
    !rule && valueCard(sent.cotangent, 'cotangent'),
    fitted && [
      html('p', {class: 'note'}, 'Broadcasting undone: summed to the shape of the input.'),
      valueCard(sent.fitted, 'fitted'),
    ],
    sum && [
      html('p', {class: 'note'}, 'Added to what had arrived before:'),
      valueCard(sent.added_to, 'before'),
      valueCard(sent.total, 'sum'),
    ],
  );
}

function freedList(freed) {
  if (!freed.length) return null;
  const items = freed.map(({name, bytes}, i) => [i ? ', ' : '', name, ` ${bytesText(bytes)}`]);
  return part('Freed', html('p', {class: 'freed'}, items));
}

// A call that a rule made; its numbers are put there when it is opened.
function innerCall(index) {
  const call = run.calls[index];
  const node = html(
    'details',
    {class: 'inner', 'data-call': index},
    html('summary', {}, callSentence(index)),
  );
  node.addEventListener('toggle', () => {
    const pulls = pullsOfCall.get(index) || [];
    const links = pulls.map((at) =>
      html('p', {}, 'its rules run in ', goLink(at, `step ${at + 1}`)),
    );
    if (node.open && node.childElementCount === 1)
      node.append(
        html('p', {}, callFacts(call)),
        ...links,
        fill(html('div'), {}, [callNumbers(call)]),
      );
  });
  return node;
}

function pullDetails(step) {
  const call = run.calls[step.call];
  const ran = stepOfCall.get(step.call);
  return [
    html(
      'p',
      {class: 'facts'},
      call && callFacts(call),
      ran !== undefined && ['called in ', goLink(ran, `step ${ran + 1}`)],
    ),
    call && source(call.line),
    part(
      'Cotangent in',
      step.g.map((v, i) => valueCard(v, step.g.length > 1 ? `g[${i}]` : 'g')),
    ),
    step.rules.map(ruleCard),
    step.sent.length > 0 &&
      part(
        'Sent on',
        step.sent.map((sent, i) => sentCard(sent, ruleOfSent(step, i))),
      ),
    freedList(step.freed),
    step.calls.length > 0 && part('Calls that the rules made', step.calls.map(innerCall)),
  ];
}

function changeDetails(step) {
  return [
    source(step.line),
    part(
      'Changed in place',
      html(
        'p',
        {},
        `${step.by} wrote into the memory of `,
        html('b', {}, valueName(step.value)),
        `, whose version is now ${step.version}. A rule that saved an earlier`,
        ' version would refuse to run.',
      ),
      valueCard(step.value, 'now'),
    ),
  ];
}

function backwardDetails(step) {
  return [
    source(step.line),
    step.order > 1 &&
      html(
        'p',
        {class: 'facts'},
        badge(`order ${step.order}`, 'Derivatives of what a backward pass recorded'),
      ),
    part(
      'Differentiated',
      step.outputs.map((v) => valueCard(v, 'of')),
    ),
  ];
}

function gradDetails(step) {
  const before = step.accumulated_on !== null && step.accumulated_on !== undefined;
  return [
    part(
      'Gradient',
      valueCard(step.gradient, 'gradient'),
      before && [
        html('p', {class: 'note'}, 'Added to the grad of before:'),
        valueCard(step.accumulated_on, 'before'),
      ],
    ),
    part('Of', valueCard(step.leaf, 'leaf')),
  ];
}

const DETAILS = {
  call: callDetails,
  pull: pullDetails,
  change: changeDetails,
  backward: backwardDetails,
  grad: gradDetails,
  passed: () => [html('p', {class: 'note'}, 'Every leaf that could be reached has its gradient.')],
};

// Where an error ended something behind this step.
function stopNotes(at) {
  return (run.stopped || [])
    .filter((stop) => stop.step === at + 1)
    .map((stop) =>
      html(
        'p',
        {class: 'stop', role: 'note'},
        html(
          'b',
          {},
          `Stopped in ${stop.what === 'rule' ? 'a rule of ' : ''}${stop.op || 'a backward pass'}. `,
        ),
        stop.error || '',
        source(stop.line),
      ),
    );
}

function stepTitle(step) {
  const call = callOfStep(step);
  if (step.kind === 'call' || step.kind === 'pull') return opOf(call);
  if (step.kind === 'change') return step.by;
  if (step.kind === 'grad') return valueName(step.leaf);
  return `pass ${step.pass + 1}`;
}

// Where a call stands among the modules; each name opens that module in the picture.
function breadcrumbs(step) {
  const call = callOfStep(step);
  if (call === null) return null;
  const around = groupsAround(callKey(call)).filter((group) => group.module !== null);
  return (
    around.length > 0 &&
    html(
      'nav',
      {class: 'crumbs', 'aria-label': 'Module'},
      around.map((group) =>
        html(
          'button',
          {type: 'button', class: 'link', title: 'Open or fold', click: () => toggleGroup(group)},
          moduleName(group.module),
        ),
      ),
    )
  );
}

function showDetails(at) {
  const step = run.steps[at];
  const panel = byId('step');
  if (!step) {
    panel.replaceChildren(html('p', {class: 'note'}, 'Nothing was recorded.'), ...stopNotes(-1));
    return;
  }
  panel.replaceChildren(
    fill(document.createDocumentFragment(), {}, [
      html('p', {class: `kind ${step.kind}`}, kindName(step)),
      html('h2', {}, stepTitle(step)),
      breadcrumbs(step),
      stopNotes(at),
      DETAILS[step.kind](step),
    ]),
  );
  panel.scrollTop = 0;
}
