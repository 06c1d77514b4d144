// Shows a run as it goes. What it gets is put on the page as text only.
(() => {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const put = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
  const number = new Intl.NumberFormat('en');
  const seconds = (s) => s.toFixed(1) + ' s';
  const data = [[], [], [], []]; // second, ok, failed, unknown
  let bands = [];
  let chart;

  const dark = matchMedia('(prefers-color-scheme: dark)');
  const colors = () => dark.matches
    ? { ok: '#5ab4f0', fail: '#ff8a66', info: '#e48ad8', axis: '#a0acba', grid: '#2b333d', band: 0.3 }
    : { ok: '#0072b2', fail: '#c8320a', info: '#8a1c7c', axis: '#556270', grid: '#dde3e9', band: 0.5 };
  const faults = { kill: '#e9a4a0', pause: '#a0b1e9', partition: '#e9dca0', packets: '#d1e8a0', clock: '#a0e9e3', starve: '#e9bf96', membership: '#d4b0e6' };

  function drawBands(u) {
    const { ctx, bbox } = u;
    const last = data[0].length ? data[0][data[0].length - 1] : 0;
    ctx.save();
    ctx.globalAlpha = colors().band;
    for (const b of bands) {
      const from = Math.max(bbox.left, u.valToPos(b.begin, 'x', true));
      const to = Math.min(bbox.left + bbox.width, u.valToPos(b.end || last, 'x', true));
      ctx.fillStyle = faults[b.class] || '#b9c4b0';
      if (to > from) ctx.fillRect(from, bbox.top, to - from, bbox.height);
    }
    ctx.restore();
  }

  function draw() {
    if (chart) chart.destroy();
    const c = colors();
    const axis = { stroke: c.axis, grid: { stroke: c.grid, width: 1 }, ticks: { stroke: c.grid, width: 1 } };
    const line = (label, stroke, dash) => ({ label, stroke, dash, width: 2, points: { show: false } });
    chart = new uPlot({
      width: $('chart').clientWidth, height: 260,
      scales: { x: { time: false }, y: { range: (u, low, high) => [0, Math.max(10, high * 1.08)] } },
      axes: [{ ...axis, values: (u, at) => at.map((v) => v + ' s') }, { ...axis, size: 64, values: (u, at) => at.map((v) => number.format(v)) }],
      series: [{ label: 'second' }, line('ok', c.ok), line('failed', c.fail, [6, 4]), line('unknown', c.info, [2, 3])],
      hooks: { drawClear: [drawBands] },
    }, data, $('chart'));
  }

  function cell(row, text, kind) {
    const td = row.insertCell();
    td.textContent = text;
    if (kind) td.className = kind;
    return td;
  }

  function table(id, rows, last) {
    const body = document.createElement('tbody');
    body.id = id;
    for (const f of rows || []) {
      const row = body.insertRow();
      cell(row, f.id, 'num');
      const name = cell(row, '', 'name');
      const chip = document.createElement('span');
      chip.className = 'chip fault-' + f.class;
      name.append(chip, f.name);
      cell(row, (f.targets || []).join(', '));
      cell(row, seconds(f.begin), 'num');
      last(row, f);
    }
    if (!body.rows.length) {
      const none = cell(body.insertRow(), 'none', 'quiet');
      none.colSpan = 5;
    }
    if (body.innerHTML !== $(id).innerHTML) $(id).replaceWith(body);
  }

  function proof(row, f) {
    const td = cell(row, f.detail, 'wide');
    for (const p of f.proof || []) {
      const line = document.createElement('div');
      line.textContent = '✓ ' + p;
      td.append(line);
    }
  }

  function end(row, f) {
    if (f.err) cell(row, 'did not take effect: ' + f.err, 'bad');
    else cell(row, f.end ? seconds(f.end) : '–', 'num');
  }

  function take(m) {
    for (let i = 0; i < (m.ok || []).length; i++) {
      const n = m.from + i;
      data[0][n] = n;
      data[1][n] = m.ok[i];
      data[2][n] = m.fail[i];
      data[3][n] = m.info[i];
    }
    bands = m.bands || [];
    if (!chart) draw();
    chart.setData(data);
    put('phase', m.phase + (m.behind ? ', reading what was recorded: ' + Math.floor(100 * m.behind) + ' %' : ''));
    put('elapsed', seconds(m.elapsed));
    put('load', m.load ? seconds(m.load) + (m.planned ? ' of ' + seconds(m.planned) : '') + ' of load' : '');
    $('progress').hidden = !m.planned;
    if (m.planned) $('progress').value = Math.min(1, m.load / m.planned);
    const n = data[1].length;
    put('rate', n ? number.format(data[1][n - 1]) : '–');
    put('leader', m.leader || 'none');
    put('term', 'term ' + m.term + ', ' + m.elected + ' elected');
    put('ok', number.format(m.totals[0]));
    put('rest', number.format(m.totals[1]) + ' failed, ' + number.format(m.totals[2]) + ' of unknown outcome');
    table('force', m.force, proof);
    table('healed', m.healed, end);
    $('trouble').hidden = !m.trouble;
    put('trouble', m.trouble || '');
  }

  const source = new EventSource(document.body.dataset.stream);
  source.onmessage = (e) => {
    const m = JSON.parse(e.data);
    take(m);
    if (m.next) {
      source.close();
      location.replace(m.next);
    }
  };
  source.onerror = () => { put('phase', 'squall serve does not answer; trying again'); };
  addEventListener('resize', () => { if (chart) chart.setSize({ width: $('chart').clientWidth, height: 260 }); });
  dark.addEventListener('change', () => { if (chart) draw(); });
})();
