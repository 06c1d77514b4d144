'use strict';
// The operations of each process around any moment, drawn in the window that is
// looked at.
(async () => {
  const meta = SQ.read('ops-data'), scene = meta.scene, log = meta.log, spots = meta.findings;
  const canvas = document.getElementById('picture'), axis = document.getElementById('axis'), only = document.getElementById('only'), hint = document.getElementById('hint');
  const N = log.shown, home = [scene.from, scene.to];
  const call = new Float64Array(N), took = new Float64Array(N), row = new Uint32Array(N), process = new Float64Array(N), flags = new Uint8Array(N), func = new Uint8Array(N), at = new Float64Array(N);
  const raws = [];
  let have = 0, texts = [], byRow = [], shown = [], view = home.slice(), hover = -1;
  let spot = null, marked = new Map(), drawn = scene; // the finding that is shown, its operations with their numbers, the scene of its nodes

  const inflate = async id => {
    const bytes = Uint8Array.from(atob(id.textContent), c => c.charCodeAt(0));
    return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer());
  };
  function unpack(raw) {
    let p = 0;
    const u = () => { let v = 0, m = 1; for (;;) { const b = raw[p++]; v += (b & 127) * m; if (b < 128) return v; m *= 128; } };
    const s = () => { const v = u(); return v % 2 ? -(v + 1) / 2 : v / 2; };
    let c = have ? call[have - 1] : 0, w = have ? process[have - 1] : 0;
    const n = raws.push(raw) - 1;
    while (p < raw.length) {
      call[have] = c += s(); took[have] = u(); row[have] = u(); process[have] = w += s();
      flags[have] = raw[p++]; func[have] = raw[p++];
      at[have] = n * 2 ** 32 + p; // the texts are read when asked for
      u(); u();
      const size = u();
      p += size;
      have++;
    }
  }
  function index() {
    byRow = Array.from({ length: log.lanes }, () => []);
    for (let i = 0; i < have; i++) byRow[row[i]].push(i);
  }
  // show and what follows tell data as package history does (history/tell.go).
  const encoder = new TextEncoder(), shownBytes = 40, shownValues = 40, escapes = { 7: 'a', 8: 'b', 12: 'f', 10: 'n', 13: 'r', 9: 't', 11: 'v', 34: '"', 92: '\\' };
  const byteOf = c => c >= 0xdc80 && c <= 0xdcff ? c - 0xdc00 : -1; // of what was no UTF-8
  const hex = (c, n) => c.toString(16).padStart(n, '0');
  function quote(s) {
    let out = '"';
    for (const ch of s) {
      const c = ch.codePointAt(0);
      out += escapes[c] ? '\\' + escapes[c] : byteOf(c) >= 0 ? '\\x' + hex(byteOf(c), 2) : /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(ch) ? ch
        : c < 0x20 || c === 0x7f ? '\\x' + hex(c, 2) : c < 0x10000 ? '\\u' + hex(c, 4) : '\\U' + hex(c, 8);
    }
    return out + '"';
  }
  function show(s) {
    let size = 0, end = 0;
    for (const ch of s) {
      size += byteOf(ch.codePointAt(0)) >= 0 ? 1 : encoder.encode(ch).length;
      if (size > shownBytes) return quote(s.slice(0, end)) + '…';
      end += ch.length;
    }
    return s !== '' && s !== 'nothing' && /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u.test(s) && !/["\ufffd]/.test(s) ? s : quote(s);
  }
  function words(i) {
    const raw = raws[Math.floor(at[i] / 2 ** 32)];
    let p = at[i] % 2 ** 32;
    const u = () => { let v = 0, m = 1; for (;;) { const b = raw[p++]; v += (b & 127) * m; if (b < 128) return v; m *= 128; } };
    const text = n => n % 2 ? texts[(n - 1) / 2] : String(n / 2);
    const node = u(), error = text(u()), f = log.funcs[func[i]], out = flags[i] & 3;
    u(); // the size of the data
    let rest = 0; // how many more values in others are shown
    const nested = (n, apart, one) => Array.from({ length: n }, one).join(apart);
    const within = read => { // what is read when none is left stands for all that come after
      if (rest === 0) { read(); return '…'; }
      rest--;
      return read();
    };
    const data = () => {
      const kind = u();
      if (kind < 4) return ['nothing', 'nothing', 'true', 'false'][kind];
      if (kind === 4) { const s = text(u()); return s.length > shownBytes ? s.slice(0, shownBytes) + '…' : s; }
      if (kind > 6) return show(text(kind - 7));
      const n = u();
      if (kind === 5) return '[' + nested(n, ' ', () => within(data)) + ']';
      return n ? nested(n, ', ', () => within(() => show(text(u())) + ' ' + data())) : '{}';
    };
    const fill = literals => literals.reduce((s, l) => { rest = shownValues; return s + data() + l; });
    const s = fill(f.text) + (flags[i] & 4 ? fill(f.answer) : '') + ['', ': failed', ': outcome unknown'][out];
    return { text: s, error, node: scene.nodes[node - 1] || '' };
  }

  const left = 104, head = 42, rowH = 22, laneTop = () => head + (drawn.nodes.length + 2) * 24 + 14;
  const sifted = () => spot !== null && only.checked;
  const passes = i => !sifted() || flags[i] & (16 << spot);
  const x = t => left + (t - view[0]) / (view[1] - view[0]) * (canvas.clientWidth - left - 8);
  const when = px => view[0] + (px - left) / (canvas.clientWidth - left - 8) * (view[1] - view[0]);
  const lower = (list, t) => { let a = 0, b = list.length; while (a < b) { const m = (a + b) >> 1; if (call[list[m]] < t) a = m + 1; else b = m; } return a; };

  // before is where what may reach into the window begins in a lane.
  const before = list => Math.max(lower(list, view[0]) - 1, 0);
  // present are the lanes that have something in the window: clients come and go as
  // they get new process numbers. All are there until the operations are.
  function present() {
    const all = byRow.map((_, k) => k);
    const some = all.filter(k => {
      const list = byRow[k];
      for (let j = before(list); j < list.length && call[list[j]] <= view[1]; j++) if (call[list[j]] + took[list[j]] >= view[0] && passes(list[j])) return true;
      return false;
    });
    return have < N ? all : some;
  }

  // crowd paints the operations of a lane that are too short to be seen one by one:
  // a column for each pixel, the stronger the more of them end there.
  function crowd(c, columns, most, y) {
    c.fillStyle = SQ.color('ok');
    columns.forEach((n, px) => {
      if (!n) return;
      c.globalAlpha = 0.4 + 0.6 * Math.sqrt(n / most);
      c.fillRect(left + px, y + 4, 1, rowH - 8);
    });
    c.globalAlpha = 1;
  }

  const font = () => '11px ' + getComputedStyle(document.body).fontFamily;
  function bar(c, i, y, right) {
    const a = x(call[i]), out = flags[i] & 3, b = Math.max(x(call[i] + took[i]), a + 1.5);
    if (out === 0) { c.fillStyle = SQ.color('ok'); c.fillRect(a, y + 4, b - a, rowH - 8); }
    else if (out === 1) { c.fillStyle = SQ.color('fail'); c.fillRect(a, y + 9, b - a, 4); c.fillRect(b - 1.5, y + 4, 1.5, rowH - 8); }
    else { c.strokeStyle = SQ.color('info'); c.setLineDash([4, 2]); c.strokeRect(a, y + 4, b - a, rowH - 8); c.setLineDash([]); c.beginPath(); c.moveTo(b, y + 11); c.lineTo(Math.min(b + 14, right), y + 11); c.stroke(); }
    if (b - a > 46) {
      c.save(); c.beginPath(); c.rect(a, y, b - a - 3, rowH); c.clip();
      c.fillStyle = SQ.color(out === 0 ? 'card' : 'ink'); c.fillText(words(i).text, Math.max(a, left) + 4, y + (out === 1 ? 6 : 11)); c.restore();
    }
    if (marked.has(i)) {
      c.strokeStyle = SQ.color('violation'); c.lineWidth = 2.5; c.strokeRect(a - 2, y + 2, b - a + 4, rowH - 4); c.lineWidth = 1;
      c.fillStyle = SQ.color('violation'); c.textAlign = 'right'; c.font = 'bold ' + font(); c.fillText(marked.get(i), a - 5, y + 11); c.textAlign = 'left'; c.font = font();
      if (b - a <= 46) { const text = words(i).text, size = c.measureText(text).width, at = b + 6 + size > right ? a - size - 22 : b + 6; c.fillStyle = SQ.color('card'); c.fillRect(at - 3, y + 3, size + 6, rowH - 6); c.fillStyle = SQ.color('ink'); c.fillText(text, at, y + 11); }
    }
    if (i === hover) { c.strokeStyle = SQ.color('ink'); c.lineWidth = 2; c.strokeRect(a - 1, y + 2, b - a + 2, rowH - 4); c.lineWidth = 1; }
  }
  // ops sorts what a lane has in the window: bars, those that did not succeed last
  // and so on top; and how many end at each pixel of those too short for bars.
  function ops(list, w) {
    const bars = [], special = [], least = 2 / (x(1) - x(0));
    let columns = null, most = 0;
    for (let j = before(list); j < list.length && call[list[j]] <= view[1]; j++) {
      const i = list[j], end = call[i] + took[i];
      if (end < view[0] || !passes(i)) continue;
      if (flags[i] & 3 || marked.has(i)) { special.push(i); continue; }
      if (took[i] >= least || i === hover) { bars.push(i); continue; }
      columns ??= new Uint32Array(Math.max(Math.ceil(w - left), 1));
      const px = Math.min(Math.max(Math.floor(x(end) - left), 0), columns.length - 1);
      most = Math.max(most, ++columns[px]);
    }
    return { bars: bars.concat(special.filter(i => !marked.has(i)), special.filter(i => marked.has(i))), columns, most };
  }
  // sized is the context of a canvas of that height, in CSS pixels.
  function sized(el, h) {
    const w = el.clientWidth, r = devicePixelRatio || 1;
    if (el.width !== Math.round(w * r) || el.height !== Math.round(h * r)) { el.width = w * r; el.height = h * r; el.style.height = h + 'px'; }
    const c = el.getContext('2d');
    c.setTransform(r, 0, 0, r, 0, 0); c.clearRect(0, 0, w, h);
    c.font = font(); c.textBaseline = 'middle';
    return c;
  }
  // times writes the times above the picture, where they stay when it is scrolled.
  function times(step) {
    const c = sized(axis, 22), digits = step < 1e3 ? 6 : step < 1e6 ? 3 : 0;
    c.textAlign = 'center'; c.fillStyle = SQ.color('muted');
    for (let t = Math.ceil(view[0] / step) * step; t <= view[1]; t += step) { c.fillText((t / 1e6).toFixed(digits) + ' s', x(t), 9); c.fillRect(x(t), 17, 1, 5); }
  }
  // names writes whose lanes they are: those of a client stand together.
  function names(c, w) {
    c.textAlign = 'right'; c.fillStyle = SQ.color('muted');
    SQ.laneNames(drawn).forEach((n, i) => c.fillText(n.length > 13 ? n.slice(0, 12) + '…' : n, left - 8, head + (i + 0.5) * 24));
    shown.forEach((k, line) => {
      const id = log.clients[k], y = laneTop() + line * rowH;
      if (line > 0 && log.clients[shown[line - 1]] === id) return;
      c.fillStyle = SQ.color('line'); c.fillRect(0, y, w, 1);
      c.fillStyle = SQ.color('ink'); c.fillText(id >= 0 ? 'client ' + id : log.clients[0] >= 0 ? 'final' : 'clients', left - 8, y + 11);
    });
  }
  function draw() {
    shown = present();
    const w = canvas.clientWidth, h = laneTop() + Math.max(shown.length, 1) * rowH + 8, c = sized(canvas, h);
    const box = { x0: left, x1: w - 8, y0: head, y1: h - 6 };
    SQ.bands(c, scene, x, box, true);
    SQ.lanes(c, drawn, x, { ...box, y1: head + (drawn.nodes.length + 2) * 24 }, 24);
    c.font = font(); c.textBaseline = 'middle';
    names(c, w);
    const step = nice((view[1] - view[0]) / Math.max((w - left) / 110, 2));
    times(step);
    c.fillStyle = SQ.color('line');
    for (let t = Math.ceil(view[0] / step) * step; t <= view[1]; t += step) c.fillRect(x(t), head, 1, box.y1 - head);
    c.textAlign = 'left';
    c.save(); c.beginPath(); c.rect(left, head, w - left - 8, h - head); c.clip();
    const crowds = shown.map(k => ops(byRow[k], w)), most = Math.max(1, ...crowds.map(o => o.most));
    crowds.forEach((o, line) => {
      const y = laneTop() + line * rowH;
      if (o.columns) crowd(c, o.columns, most, y);
      for (const i of o.bars) bar(c, i, y, w);
    });
    c.restore();
  }
  const nice = raw => { const p = 10 ** Math.floor(Math.log10(raw)); return [1, 2, 5, 10].map(m => m * p).find(s => s >= raw); };
  let asked = false;
  const later = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
  function look(a, b) {
    const span = Math.min(Math.max(b - a, 20), home[1] - home[0]);
    a = Math.min(Math.max(a, home[0]), home[1] - span);
    view = [a, a + span];
    document.getElementById('span').textContent = `${SQ.time(view[0])} to ${SQ.time(view[1])}`;
    later();
  }
  const jump = (t, span = 400e3) => look(t - span / 2, t + span / 2);
  // open opens a finding: its operations marked, and nothing but its key and its nodes.
  function open(n) {
    spot = n; only.checked = true;
    document.getElementById('sift').hidden = false;
    document.getElementById('sought').textContent = spots[n].key ? `Only key ${spots[n].key} and the nodes of finding ${n + 1}` : `Only the operations and nodes of finding ${n + 1}`;
    mark(); sift();
    look(spots[n].from, spots[n].to);
  }
  function mark() {
    const number = new Map(spot === null ? [] : spots[spot].ops.map(([p, t], i) => [p + ' ' + t, i + 1]));
    marked = new Map();
    const named = new Set(spot === null ? [] : spots[spot].ops.map(o => o[0]));
    for (let i = 0; i < have; i++) { const n = named.has(process[i]) && number.get(process[i] + ' ' + call[i]); if (n) marked.set(i, n); }
  }
  function sift() {
    const at = new Map(sifted() ? spots[spot].nodes.map((n, i) => [n, i]) : []), cut = list => (list || []).flatMap(s => at.has(s.n) ? [{ ...s, n: at.get(s.n) }] : []);
    drawn = !sifted() ? scene : { ...scene, nodes: spots[spot].nodes.map(n => scene.nodes[n]), reigns: cut(scene.reigns), stale: cut(scene.stale), outages: cut(scene.outages), candidates: cut(scene.candidates), logged: scene.logged && cut(scene.logged) };
    later();
  }
  only.addEventListener('change', sift);

  canvas.addEventListener('wheel', e => {
    e.preventDefault();
    const t = when(e.offsetX), k = Math.exp((e.deltaY || 0) * 0.0015), d = e.deltaX / canvas.clientWidth * (view[1] - view[0]);
    look(t - (t - view[0]) * k + d, t + (view[1] - t) * k + d);
  }, { passive: false });
  // A finger or the mouse moves the picture; of two, each keeps its moment.
  const fingers = new Map();
  let grab = null;
  const take = () => { const at = [...fingers.values()].slice(0, 2); grab = at.length ? { at, when: at.map(when) } : null; };
  const drop = e => { fingers.delete(e.pointerId); take(); };
  canvas.addEventListener('pointerdown', e => { fingers.set(e.pointerId, e.offsetX); canvas.setPointerCapture(e.pointerId); take(); });
  canvas.addEventListener('pointerup', drop);
  canvas.addEventListener('pointercancel', drop);
  function pull() {
    const width = canvas.clientWidth - left - 8, [p, q] = [...fingers.values()], [s, t] = grab.when;
    const apart = t !== undefined && Math.abs(q - p) >= 8 && (t - s) / (q - p) > 0; // µs a pixel; else fingers have crossed
    const scale = apart ? (t - s) / (q - p) : (view[1] - view[0]) / width, from = s - (p - left) * scale;
    look(from, from + scale * width);
  }
  canvas.addEventListener('pointermove', e => {
    if (fingers.has(e.pointerId)) { fingers.set(e.pointerId, e.offsetX); pull(); return; }
    const k = Math.floor((e.offsetY - laneTop()) / rowH), t = when(e.offsetX), slack = (view[1] - view[0]) / canvas.clientWidth * 3, list = byRow[shown[k]];
    let found = -1;
    if (list) for (let j = Math.min(lower(list, t + slack), list.length) - 1; j >= 0; j--) { const i = list[j]; if (!passes(i)) continue; if (call[i] + took[i] >= t - slack) found = i; break; }
    if (found !== hover) { hover = found; later(); }
    const o = found >= 0 && words(found);
    hint.textContent = `${SQ.time(t)} · leader ${SQ.leaderAt(scene, t)} · faults: ${SQ.faultsAt(scene, t)}` + (o ? `\n${o.text}${o.error ? ' (' + o.error + ')' : ''} · process ${process[found]}${log.clients[row[found]] >= 0 ? ` of client ${log.clients[row[found]]}` : ''} at ${o.node} · ${SQ.time(call[found])}, ${(took[found] / 1e3).toFixed(3)} ms` : '\n ');
  });
  addEventListener('keydown', e => {
    if (e.target.tagName === 'INPUT' || e.target.tagName === 'SELECT') return;
    const s = view[1] - view[0], m = (view[0] + view[1]) / 2;
    const keys = { ArrowLeft: () => look(view[0] - s / 5, view[1] - s / 5), ArrowRight: () => look(view[0] + s / 5, view[1] + s / 5), '+': () => jump(m, s / 2), '-': () => jump(m, s * 2), 0: () => look(...home) };
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });
  document.querySelectorAll('[data-key]').forEach(b => b.addEventListener('click', () => dispatchEvent(new KeyboardEvent('keydown', { key: b.dataset.key }))));
  document.getElementById('go').addEventListener('submit', e => { e.preventDefault(); const t = parseFloat(document.getElementById('moment').value); if (isFinite(t)) jump(t * 1e6); });
  const places = document.getElementById('places');
  spots.forEach((s, i) => places.append(new Option(`finding ${i + 1}: ${s.name}${s.key ? ', key ' + s.key : ''}`, 'finding=' + (i + 1))));
  for (const p of meta.places) places.append(new Option(p.text, p.at));
  places.addEventListener('change', () => { const v = places.value; if (v.startsWith('finding=')) open(v.slice(8) - 1); else if (v) jump(+v); });
  // A link opens a moment or a finding; without one the page opens at the first finding.
  const fromHash = () => {
    const moment = /^#t=([\d.]+)$/.exec(location.hash), finding = /^#finding=(\d+)$/.exec(location.hash) || (spots.length && !location.hash && ['', 1]);
    if (finding && spots[finding[1] - 1]) open(finding[1] - 1);
    else if (moment) { only.checked = false; sift(); jump(parseFloat(moment[1]) * 1e6); }
  };
  addEventListener('hashchange', fromHash);
  addEventListener('resize', later);
  SQ.repaint.push(draw);

  look(...home); fromHash();
  texts = JSON.parse(new TextDecoder().decode(await inflate(document.getElementById('texts')))) || [];
  for (const s of document.querySelectorAll('script.ops')) { unpack(await inflate(s)); s.remove(); index(); mark(); draw(); }
  window.squall = { usable: performance.now(), ops: () => have, view: () => view, lanes: () => shown.length, clients: () => shown.map(k => log.clients[k]), nodes: () => drawn.nodes, marked: () => [...marked.keys()], words, jump };
})();
