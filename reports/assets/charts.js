'use strict';
// The charts of a run: one time axis for all, zoomed and hovered together.
(() => {
  const data = SQ.read('charts-data'), scene = data.scene, T = 1e-6;
  const home = [scene.from * T, scene.to * T];
  let range = home.slice(), charts = [], busy = false;
  const readout = document.getElementById('readout');
  const xs = data.x.length ? data.x.map(t => t * T) : home;
  const dashes = { f1: [6, 3], f2: [2, 2], f3: [8, 3, 2, 3], f4: [3, 3], info: [5, 3], p99: [6, 3], p90: [8, 3, 2, 3], max: [1.5, 3] };
  const tones = { total: 'ink', p50: 'ink', p90: 'f2', p99: 'info', max: 'fail' };
  const number = v => v == null ? '–' : v >= 100 ? Math.round(v).toLocaleString('en') : String(+v.toPrecision(3));

  function zoom(from, to) {
    const least = 0.0005;
    if (to - from < least) { const mid = (from + to) / 2; from = mid - least / 2; to = mid + least / 2; }
    const span = Math.min(to - from, home[1] - home[0]);
    from = Math.min(Math.max(from, home[0]), home[1] - span);
    range = [from, from + span];
    busy = true;
    for (const u of charts) u.setScale('x', { min: range[0], max: range[1] });
    busy = false;
    say(null);
  }
  function say(t) {
    readout.textContent = t == null
      ? `${range[0].toFixed(3)} to ${range[1].toFixed(3)} s`
      : `${t.toFixed(3)} s · leader ${SQ.leaderAt(scene, t / T)} · faults: ${SQ.faultsAt(scene, t / T)}`;
  }

  const base = (height, y, hooks, series, names) => ({
    height: Math.round(height * (document.documentElement.classList.contains('printing') ? 0.8 : 1)), width: 600, legend: { show: false }, padding: [names ? 36 : 12, wide() ? tagRoom : 12, 0, 0],
    scales: { x: { time: false, range: (u, a, b) => a == null ? home : [a, b] }, y },
    cursor: {
      sync: { key: 'run', scales: ['x', null], filters: { pub: type => type === 'mousemove' || type === 'mouseleave' } },
      drag: { x: true, y: false, setScale: true }, points: { show: false },
      bind: { dblclick: () => () => zoom(...home) },
    },
    axes: [
      { stroke: () => SQ.color('muted'), grid: { stroke: () => SQ.color('line'), width: 1 }, ticks: { stroke: () => SQ.color('line') }, size: 26, labelFont: '12px ' + fontFamily(), font: '12px ' + fontFamily() },
    ],
    series: [{}, ...series],
    hooks: {
      drawClear: [u => SQ.bands(scaled(u), scene, t => at(u, t * T), box(u), names)],
      setScale: [(u, key) => { if (key === 'x' && !busy && u.ready) zoom(u.scales.x.min, u.scales.x.max); }],
      setCursor: [u => { say(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, 'x') : null); values(u); }],
      ready: [u => { u.ready = true; }],
      ...hooks,
    },
  });
  // Canvas work in CSS pixels, whatever the screen's resolution.
  const scaled = u => { const r = uPlot.pxRatio; u.ctx.setTransform(r, 0, 0, r, 0, 0); return u.ctx; };
  const at = (u, v) => u.valToPos(v, 'x', true) / uPlot.pxRatio;
  const box = u => { const r = uPlot.pxRatio, b = u.bbox; return { x0: b.left / r, x1: (b.left + b.width) / r, y0: b.top / r, y1: (b.top + b.height) / r }; };
  const fontFamily = () => getComputedStyle(document.body).fontFamily;
  const axis = (label, extra) => ({ scale: 'y', label, size: 58, labelSize: 18, gap: 4, labelFont: '12px ' + fontFamily(), font: '12px ' + fontFamily(), stroke: () => SQ.color('muted'), grid: { stroke: () => SQ.color('line'), width: 1 }, ticks: { show: false }, values: (u, vs) => vs.map(v => v == null ? '' : number(v)), ...extra });
  const line = unit => l => ({ label: l.name, stroke: () => SQ.color(tones[l.look] || l.look), width: l.look === 'total' || l.look === 'p50' ? 1.6 : 1.3, dash: dashes[l.look], points: { show: false }, value: (u, v) => v == null ? '–' : number(v) + unit });

  function make(id, options, yaxis, values) {
    const host = document.getElementById(id);
    if (!host) return;
    options.axes.push(yaxis);
    if (!options.hooks.draw) Object.assign(options.hooks, { init: [tags], draw: [place] });
    options.width = width(host);
    const clear = options.hooks.drawClear[0];
    options.hooks.drawClear = [u => { u.ctx.save(); clear(u); u.ctx.restore(); }];
    host.replaceChildren();
    charts.push(new uPlot(options, [xs, ...values], host));
    byFinger(charts.at(-1));
  }

  // Each line is named at its end, in its colour; what it is at the pointer stands
  // beside the name. A narrow window has the names below the chart.
  const tagRoom = 112, wide = () => innerWidth > 640 || document.documentElement.classList.contains('printing');
  function tags(u) {
    const box = u.root.appendChild(document.createElement('div'));
    box.className = wide() ? 'tags' : 'tags row';
    u.tags = u.series.slice(1).map((s, i) => {
      const tag = box.appendChild(document.createElement('span')), key = tag.appendChild(document.createElement('i'));
      key.style.borderTop = `2px ${!s.dash ? 'solid' : s.dash[0] < 3 ? 'dotted' : 'dashed'} ${s.stroke()}`;
      tag.append(s.label, ' ');
      return { tag, value: tag.appendChild(document.createElement('b')), line: i + 1 };
    });
  }
  function place(u) {
    if (!u.tags || !wide()) return;
    const height = 15, b = box(u), order = u.tags.map(t => ({ t, y: at0(u, lastOf(u, t.line)) })).sort((p, q) => p.y - q.y);
    order.forEach((o, i) => { if (i) o.y = Math.max(o.y, order[i - 1].y + height); });
    for (let i = order.length - 1, floor = b.y1 + 6; i >= 0; i--) { order[i].y = Math.min(order[i].y, floor); floor = order[i].y - height; }
    for (const o of order) { o.t.tag.style.left = b.x1 + 8 + 'px'; o.t.tag.style.top = o.y - 9 + 'px'; }
  }
  // lastOf is the last value of a line that is in the window.
  function lastOf(u, line) {
    const y = u.data[line];
    for (let i = Math.min(first(xs, u.scales.x.max), xs.length - 1); i >= 0 && xs[i] >= u.scales.x.min; i--) if (y[i] != null && xs[i] <= u.scales.x.max) return y[i];
    return u.scales.y.min;
  }
  const at0 = (u, v) => u.valToPos(v, 'y', true) / uPlot.pxRatio;
  function values(u) {
    for (const t of u.tags || []) t.value.textContent = u.cursor.idx == null || u.cursor.left < 0 ? '' : u.series[t.line].value(u, u.data[t.line][u.cursor.idx]);
  }
  // uPlot listens to a mouse. A finger that is drawn across a chart selects too;
  // up and down it scrolls the page.
  function byFinger(u) {
    let id = null, from = 0, to = 0;
    const select = () => u.setSelect({ left: Math.min(from, to), width: id === null ? 0 : Math.abs(to - from), top: 0, height: u.over.clientHeight }, false);
    const place = e => { const r = u.over.getBoundingClientRect(); return Math.min(Math.max(e.clientX - r.left, 0), r.width); };
    u.over.addEventListener('pointerdown', e => { if (e.pointerType !== 'mouse' && id === null) { id = e.pointerId; from = to = place(e); } });
    u.over.addEventListener('pointermove', e => { if (e.pointerId === id) { to = place(e); select(); say(u.posToVal(to, 'x')); } });
    const end = e => {
      if (e.pointerId !== id) return;
      id = null; select();
      const least = 10; // pixels: less is a tap
      if (e.type === 'pointerup' && Math.abs(to - from) >= least) zoom(u.posToVal(Math.min(from, to), 'x'), u.posToVal(Math.max(from, to), 'x'));
    };
    u.over.addEventListener('pointerup', end);
    u.over.addEventListener('pointercancel', end);
  }
  const width = host => document.documentElement.classList.contains('printing') ? 680 : Math.max(host.clientWidth, 240);
  const fill = list => list.map(l => data.x.length ? l.y : [null, null]);

  // The operations one by one, drawn over an empty logarithmic chart: a circle is
  // the first function of the header, a triangle the second, a square the third, a
  // diamond any other.
  function dots(u) {
    const c = u.ctx, b = box(u);
    c.save(); scaled(u);
    c.beginPath(); c.rect(b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0); c.clip();
    const order = { ok: 0, fail: 1, info: 2 };
    const lowest = u.scales.x.min / T, highest = u.scales.x.max / T;
    for (const d of data.dots.slice().sort((p, q) => order[p.outcome] - order[q.outcome])) {
      c.fillStyle = d.outcome === 'ok' ? SQ.alpha('ok', 0.55) : SQ.color(d.outcome);
      const r = d.outcome === 'ok' ? 1.6 : 2.6;
      c.beginPath();
      for (let i = first(d.t, lowest); i < d.t.length && d.t[i] <= highest; i++) {
        const x = at(u, d.t[i] * T), y = u.valToPos(Math.max(d.y[i], data.low), 'y', true) / uPlot.pxRatio;
        if (d.look === 'f0') { c.moveTo(x + r, y); c.arc(x, y, r, 0, 7); }
        else if (d.look === 'f1') { c.moveTo(x, y - r * 1.2); c.lineTo(x + r * 1.1, y + r); c.lineTo(x - r * 1.1, y + r); }
        else if (d.look === 'f2') c.rect(x - r, y - r, 2 * r, 2 * r);
        else { c.moveTo(x, y - r * 1.3); c.lineTo(x + r * 1.3, y); c.lineTo(x, y + r * 1.3); c.lineTo(x - r * 1.3, y); }
      }
      c.fill();
    }
    c.restore();
  }
  function first(list, t) {
    let a = 0, b = list.length;
    while (a < b) { const m = (a + b) >> 1; if (list[m] < t) a = m + 1; else b = m; }
    return a;
  }

  function build() {
    for (const u of charts) u.destroy();
    charts = [];
    const lanes = SQ.laneNames(scene), 
      log = (low, high) => ({ distr: 3, range: () => [low / 1.2, high * 1.3] }), seen = data.latency.flatMap(l => l.y).filter(v => v != null),
      decades = { splits: (u, i, a, b) => { const out = []; for (let e = Math.floor(Math.log10(a)); 10 ** e <= b; e++) for (const m of b / a < 200 ? [1, 2, 5] : [1]) if (m * 10 ** e >= a && m * 10 ** e <= b) out.push(m * 10 ** e); return out; } };
    const lowest = seen.reduce((a, b) => Math.min(a, b), Infinity), highest = seen.reduce((a, b) => Math.max(a, b), 0);
    make('chart-throughput', base(232, { range: (u, a, b) => [0, (b || 1) * 1.05] }, {}, data.ok.map(line(' /s')), true), axis('succeeded (ops/s)'), fill(data.ok));
    make('chart-others', base(126, { range: (u, a, b) => [0, (b || 1) * 1.05] }, {}, data.others.map(line(' /s')), false), axis('other (ops/s)'), fill(data.others));
    make('chart-latency', base(290, log(data.low, data.high), { draw: [dots] }, [{ label: 'latency', show: true, points: { show: false }, value: () => '' }], true), axis('latency (ms, log scale)', decades), [xs.map(() => null)]);
    make('chart-quantiles', base(206, seen.length ? log(lowest, highest) : log(1, 10), {}, data.latency.map(line(' ms')), true), axis('latency (ms, log scale)', decades), fill(data.latency));
    make('chart-lanes', titled(base(lanes.length * 28 + 98, { range: () => [0, lanes.length] },
      { draw: [u => { const b = box(u); u.ctx.save(); scaled(u); SQ.lanes(u.ctx, scene, t => at(u, t * T), b, (b.y1 - b.y0) / lanes.length); u.ctx.restore(); }] },
      [{ label: '', points: { show: false } }], true)),
    axis('', { splits: () => lanes.map((_, i) => lanes.length - i - 0.5), values: () => lanes.map(n => n.length > 10 ? n.slice(0, 9) + '…' : n), grid: { show: false }, size: 76, labelSize: 0 }), [xs.map(() => null)]);
    zoom(...range);
  }
  // The title of the time axis, which all charts share, stands once.
  const titled = o => { Object.assign(o.axes[0], { label: 'time since the test began (s)', labelSize: 18, size: 44 }); return o; };

  document.addEventListener('click', e => {
    const b = e.target.closest('[data-zoom]');
    if (!b) return;
    const span = range[1] - range[0], act = b.dataset.zoom;
    if (act === 'reset') zoom(...home);
    else if (act === 'in') zoom(range[0] + span / 4, range[1] - span / 4);
    else if (act === 'out') zoom(range[0] - span / 2, range[1] + span / 2);
    else if (act === 'left') zoom(range[0] - span / 3, range[1] - span / 3);
    else if (act === 'right') zoom(range[0] + span / 3, range[1] + span / 3);
    else {
      const [from, to] = act.split(',').map(Number), air = (to - from) * 0.3 + 0.2;
      zoom(from - air, to + air);
      document.getElementById('charts').scrollIntoView({ behavior: 'instant' });
    }
  });
  SQ.repaint.push(build);
  let last = innerWidth;
  addEventListener('resize', () => { if (innerWidth !== last) { last = innerWidth; build(); } });
  build();
  requestAnimationFrame(() => { window.squall = { usable: performance.now(), charts: () => charts, zoom, home }; });
})();
