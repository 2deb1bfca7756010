// The order of tabs and the address of a session; no browser needed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './support.mjs';

const { OpenTabs, parseAddress, formatAddress } = await load('open_tabs.ts');
const ids = (tabs) => tabs.all.map(({ id }) => id).join('');

test('tabs of one project stand together', () => {
  const tabs = new OpenTabs();
  for (const [id, project] of [['a', 'one'], ['b', 'two'], ['c', 'one'], ['d', 'three'], ['e', 'two'], ['c', 'one']]) {
    tabs.add({ id, project });
  }
  assert.equal(ids(tabs), 'acbed');
  assert.deepEqual(tabs.groups().map(({ project, tabs: { length } }) => [project, length]), [['one', 2], ['two', 2], ['three', 1]]);
  assert.equal(tabs.active, 'a');
});

test('when the front tab goes, its right neighbour comes, else its left one', () => {
  const tabs = new OpenTabs({ tabs: [...'abc'].map((id) => ({ id, project: 'p' })), active: 'b' });
  tabs.remove('b');
  assert.equal(tabs.active, 'c');
  tabs.remove('c');
  assert.equal(tabs.active, 'a');
  tabs.remove('a');
  assert.equal(tabs.active, undefined);
});

test('stepping goes around the ends', () => {
  const tabs = new OpenTabs({ tabs: [...'abc'].map((id) => ({ id, project: 'p' })) });
  assert.equal(tabs.beside('c', 1), 'a');
  assert.equal(tabs.beside('a', -1), 'c');
});

test('what is remembered survives JSON, and nonsense is dropped', () => {
  const tabs = new OpenTabs({ tabs: [{ id: 'a', project: 'p' }, { id: 'b', project: 'p' }], active: 'b' });
  const again = new OpenTabs(JSON.parse(JSON.stringify(tabs)));
  assert.deepEqual([ids(again), again.active], ['ab', 'b']);
  assert.equal(ids(new OpenTabs({ tabs: [null, { id: 7 }, { id: 'x', project: 'p' }], active: 'gone' })), 'x');
  assert.equal(ids(new OpenTabs({})), '');
});

test('an address names a project and a session, or nothing', () => {
  const tab = { id: 'session_1_abc', project: 'my project/ä' };
  assert.deepEqual(parseAddress(formatAddress(tab)), tab);
  for (const hash of ['', '#/', '#/a', '#/a/', '#/a/b/c', '#/a/..', '#/a/b%20c', '#/%E0%A4%A/x', `#/a/${'x'.repeat(129)}`]) {
    assert.equal(parseAddress(hash), undefined, hash);
  }
});
