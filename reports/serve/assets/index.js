// The list of runs works without this script. With it, it filters while one
// types, sorts in place, and keeps itself up to date.
(() => {
  'use strict';
  const form = document.querySelector('form.filter');
  const fresh = document.getElementById('fresh');
  let address = location.pathname + location.search;
  let asked = 0;

  async function load(to) {
    const mine = ++asked;
    if (to !== address) { // at once: the next refresh is of what is wanted now
      address = to;
      history.replaceState(null, '', to);
    }
    let text;
    try {
      const answer = await fetch(to);
      if (!answer.ok) throw new Error(answer.status);
      text = await answer.text();
    } catch {
      fresh.textContent = 'Not up to date: squall serve does not answer.';
      return;
    }
    if (mine !== asked) return; // it was asked for anew
    fresh.textContent = '';
    const next = new DOMParser().parseFromString(text, 'text/html').getElementById('list');
    const old = document.getElementById('list');
    if (!next || next.outerHTML === old.outerHTML) return;
    const ticked = new Set([...old.querySelectorAll('[name=run]:checked')].map((box) => box.value));
    const scrolls = [...old.querySelectorAll('.scroll')].map((s) => s.scrollLeft);
    old.replaceWith(document.adoptNode(next));
    document.querySelectorAll('#list .scroll').forEach((s, i) => { s.scrollLeft = scrolls[i] || 0; });
    document.querySelectorAll('#list [name=run]').forEach((box) => { box.checked = ticked.has(box.value); });
    form.elements.sort.value = document.getElementById('list').dataset.sort;
  }

  function wanted() {
    const values = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) values.set(name, value);
    return '/?' + values;
  }

  let typed;
  form.addEventListener('input', () => { clearTimeout(typed); typed = setTimeout(() => load(wanted()), 150); });
  form.addEventListener('submit', (e) => { e.preventDefault(); clearTimeout(typed); load(wanted()); });
  document.addEventListener('click', (e) => {
    const link = e.target.closest('#list a.sort, #list .pages a');
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    load(link.getAttribute('href'));
  });

  // While something runs every two seconds, otherwise now and then, and never
  // while nobody sees the page or uses its table.
  async function refresh() {
    if (!document.hidden && !document.activeElement.closest('#list a')) await load(address);
    setTimeout(refresh, document.getElementById('list').dataset.busy === 'true' ? 2000 : 6000);
  }
  setTimeout(refresh, 2000);
})();
