'use strict';
// What the charts and the page of operations draw alike: faults behind, who led.
// Every text from the run is drawn or set as text, never as HTML.
const SQ = (() => {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  let cache = {};
  const color = name => cache[name] ??= (probe.style.color = `var(--${name})`, getComputedStyle(probe).color);
  const alpha = (name, a) => color(name).replace('rgb(', 'rgba(').replace(')', `, ${a})`);
  const dark = () => color('card').match(/\d+/g).slice(0, 3).reduce((sum, v) => sum + +v, 0) < 384;
  const repaint = [];
  const refresh = () => { cache = {}; for (const f of repaint) f(); };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', refresh);
  matchMedia('print').addEventListener('change', refresh);
  const printing = on => { document.documentElement.classList.toggle('printing', on); refresh(); };
  addEventListener('beforeprint', () => printing(true));
  addEventListener('afterprint', () => printing(false));
  // What is wider than its box says that it scrolls.
  const wide = () => { for (const b of document.querySelectorAll('.scroll, figure:has(.tl)')) b.toggleAttribute('data-scrolls', b.scrollWidth > b.clientWidth + 1); };
  addEventListener('resize', wide);
  document.addEventListener('toggle', wide, true);
  wide();
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const time = us => (us / 1e6).toFixed(3) + ' s';

  // A class of faults has strokes of its own, so that its colour is not alone
  // (hatching.go). Those of neighbouring boxes meet.
  const slants = { kill: [[1, 1]], pause: [[0, 1]], partition: [[1, -1]], packets: [[2, 1]], clock: [[2, -1]], starve: [[1, 2]], membership: [[0, 1], [1, 0]], other: [[1, 0]] };
  function hatch(c, cls, x0, y0, x1, y1, stroke, apart) {
    c.save();
    c.beginPath(); c.rect(x0, y0, x1 - x0, y1 - y0); c.clip();
    c.strokeStyle = stroke; c.lineWidth = 1;
    c.beginPath();
    for (const [dx, dy] of slants[cls] || slants.other) {
      const gap = apart * Math.hypot(dx, dy); // along the axis that the strokes cross
      if (dy === 0) for (let y = Math.ceil(y0 / gap) * gap; y < y1; y += gap) { c.moveTo(x0, y); c.lineTo(x1, y); }
      else {
        const step = gap / Math.abs(dy), lean = dx / dy, from = [x0 - y0 * lean, x0 - y1 * lean], to = [x1 - y0 * lean, x1 - y1 * lean];
        for (let x = Math.ceil(Math.min(...from) / step) * step; x <= Math.max(...to); x += step) { c.moveTo(x + y0 * lean, y0); c.lineTo(x + y1 * lean, y1); }
      }
    }
    c.stroke();
    c.restore();
  }

  // bands paints the faults behind a plot, their names above it.
  function bands(c, scene, x, box, names) {
    const free = [box.x0, box.x0];
    const strength = dark() ? 0.13 : 0.34; // pale colours are loud in the dark
    c.save();
    c.font = '11px ' + getComputedStyle(document.body).fontFamily;
    for (const f of scene.faults) {
      if (x(f.to) < box.x0 || x(f.from) > box.x1) continue;
      const x0 = Math.max(x(f.from), box.x0), x1 = Math.min(Math.max(x(f.to), x0 + 1), box.x1);
      c.fillStyle = alpha(f.class, strength); c.fillRect(x0, box.y0, x1 - x0, box.y1 - box.y0);
      if (x1 - x0 > 14) hatch(c, f.class, x0, box.y0, x1, box.y1, alpha('ink', strength / 3), 9);
      c.fillStyle = color(f.class); c.fillRect(x0, box.y0 - 4, x1 - x0, 4);
      if (!names) continue;
      for (const text of [f.label, f.short]) {
        const w = c.measureText(text).width;
        const line = free.findIndex(to => x0 >= to);
        if (line < 0 || x0 + w > box.x1) continue;
        c.fillStyle = color('ink'); c.textBaseline = 'bottom'; c.fillText(text, x0, box.y0 - 6 - line * 13);
        free[line] = x0 + w + 8;
        break;
      }
    }
    c.restore();
  }

  const causes = { killed: 'kill', paused: 'pause', 'cut off': 'partition' };
  const laneNames = scene => [...scene.nodes, 'no leader', 'no success'];
  // lanes paints a row for each node: when it led, in which term, when it was
  // hurt; and when the cluster had no leader and the clients no success.
  function lanes(c, scene, x, box, row) {
    const mid = n => box.y0 + (n + 0.5) * row, h = Math.min(row * 0.62, 18);
    c.save();
    c.font = '600 11px ' + getComputedStyle(document.body).fontFamily;
    c.textBaseline = 'middle';
    c.beginPath(); c.rect(box.x0, box.y0 - 1, box.x1 - box.x0, box.y1 - box.y0 + 2); c.clip();
    c.strokeStyle = color('line'); c.lineWidth = 1;
    for (let n = 0; n < scene.nodes.length + 2; n++) { c.beginPath(); c.moveTo(box.x0, mid(n)); c.lineTo(box.x1, mid(n)); c.stroke(); }
    const each = (list, f) => { for (const s of list) { const a = x(s.from), b = x(s.to); if (s.n >= 0 && b >= box.x0 && a <= box.x1) f(s, a, Math.max(b, a + 2)); } };
    const within = (text, a, b, y, ink) => {
      const l = Math.max(a, box.x0), r = Math.min(b, box.x1);
      if (c.measureText(text).width + 6 < r - l) { c.fillStyle = ink; c.textAlign = 'center'; c.fillText(text, (l + r) / 2, y); return true; }
      return false;
    };
    const term = (s, a, b, ink) => s.text && (within('term ' + s.text, a, b, mid(s.n), ink) || within(s.text, a, b, mid(s.n), ink));
    each(scene.outages, (s, a, b) => {
      const cls = causes[s.text] || 'other', y = mid(s.n) - h / 2 + 2;
      c.fillStyle = color(cls); c.fillRect(a, y, b - a, h - 4);
      hatch(c, cls, a, y, b, y + h - 4, 'rgba(0, 0, 0, 0.5)', 4.5); // on the full colour, which is pale in the dark too
      c.strokeStyle = color('muted'); c.strokeRect(a + 0.5, y + 0.5, b - a - 1, h - 5);
    });
    each(scene.reigns, (s, a, b) => {
      c.fillStyle = color(+s.text % 2 ? 'leader-alt' : 'leader'); c.fillRect(a, mid(s.n) - h / 2, b - a, h);
      term(s, a, b, color('on-leader'));
    });
    each(scene.stale || [], (s, a, b) => { // it took itself for the leader, and was not
      const y = mid(s.n) - h / 2, text = ['still leader of term ' + s.text, 'stale'].find(t => c.measureText(t).width + 10 < Math.min(b, box.x1) - Math.max(a, box.x0));
      c.strokeStyle = color('violation'); c.lineWidth = 1.5; c.setLineDash([5, 3]); c.strokeRect(a + 0.75, y + 0.75, b - a - 1.5, h - 1.5); c.setLineDash([]); c.lineWidth = 1;
      if (!text) return;
      const m = (Math.max(a, box.x0) + Math.min(b, box.x1)) / 2, w = c.measureText(text).width + 8;
      c.fillStyle = color('card'); c.fillRect(m - w / 2, y + 3, w, h - 6);
      c.fillStyle = color('violation'); c.textAlign = 'center'; c.fillText(text, m, mid(s.n));
    });
    each(scene.logged || [], (s, a, b) => { // by the logs alone, so only an outline
      const y = mid(s.n) - h / 2;
      c.lineWidth = 1.5; c.strokeStyle = color('leader'); c.strokeRect(a + 0.75, y + 0.75, b - a - 1.5, h - 1.5); c.lineWidth = 1;
      term(s, a, b, color('leader'));
    });
    each(scene.candidates, (s, a) => {
      c.fillStyle = c.strokeStyle = color('candidate');
      const y = mid(s.n) - h / 2 - 1;
      c.beginPath(); c.moveTo(a, y + h + 2); c.lineTo(a, y); c.stroke();
      c.beginPath(); c.moveTo(a, y - 3); c.lineTo(a + 3, y); c.lineTo(a, y + 3); c.lineTo(a - 3, y); c.fill();
    });
    [[scene.noLeader, 'ink', 0], [scene.unavailable, 'info', 1]].forEach(([list, tone, k]) => each(list, (s, a, b) => {
      const y = mid(scene.nodes.length + k);
      c.fillStyle = color(tone); c.fillRect(a, y - h / 2, b - a, h);
      within(s.text, a, b, y, color('card'));
    }));
    c.restore();
  }

  // leaderAt says who led at a time.
  const leadAt = (scene, list, t) => list.filter(r => r.from <= t && t <= r.to).map(r => (scene.nodes[r.n] ?? '?') + (r.text ? ` (term ${r.text})` : '')).join(', ');
  const leaderAt = (scene, t) => scene.logged ? `${leadAt(scene, scene.logged, t) || 'none'}, from logs`
    : scene.noTrace ? 'not known (no trace)' : leadAt(scene, scene.reigns, t) || 'none';
  const faultsAt = (scene, t) => scene.faults.filter(f => f.from <= t && t <= f.to).map(f => `#${f.id} ${f.label}`).join(', ') || 'none';
  return { color, alpha, repaint, read, time, hatch, bands, lanes, laneNames, leaderAt, faultsAt, refresh };
})();
