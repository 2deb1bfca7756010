// Which sessions this browser shows as tabs, in which order, and which is in front. No DOM in here.

export interface Tab {
  id: string;
  project: string;
}

export interface RememberedTabs {
  tabs: Tab[];
  active?: string | undefined;
}

/** Tabs of one project stand together; projects stand in the order in which they came. */
export class OpenTabs {
  private list: Tab[] = [];
  private front: string | undefined;

  constructor(remembered: RememberedTabs = { tabs: [] }) {
    for (const tab of remembered.tabs ?? []) {
      if (typeof tab?.id === 'string' && typeof tab.project === 'string') this.add(tab);
    }
    if (remembered.active && this.has(remembered.active)) this.front = remembered.active;
    else this.front = this.list[0]?.id;
  }

  get all(): readonly Tab[] {
    return this.list;
  }
  get active(): string | undefined {
    return this.front;
  }
  get activeTab(): Tab | undefined {
    return this.find(this.front);
  }

  has(id: string): boolean {
    return this.find(id) !== undefined;
  }

  /** Adds behind the last tab of its project; does nothing if it is there. */
  add(tab: Tab): void {
    if (this.has(tab.id)) return;
    let at = this.list.length;
    while (at > 0 && this.list[at - 1]?.project !== tab.project) at--;
    this.list.splice(at === 0 ? this.list.length : at, 0, { id: tab.id, project: tab.project });
    this.front ??= tab.id;
  }

  /** Removes a tab; its right neighbour, else its left one, comes to the front. */
  remove(id: string): void {
    const at = this.list.findIndex((tab) => tab.id === id);
    if (at < 0) return;
    this.list.splice(at, 1);
    if (this.front === id) this.front = (this.list[at] ?? this.list[at - 1])?.id;
  }

  activate(id: string): void {
    if (this.has(id)) this.front = id;
  }

  /** The tab `steps` to the right of `id`, around the ends. */
  beside(id: string, steps: number): string | undefined {
    const at = this.list.findIndex((tab) => tab.id === id);
    const count = this.list.length;
    return at < 0 ? this.front : this.list[(at + steps + count) % count]?.id;
  }

  groups(): { project: string; tabs: Tab[] }[] {
    const groups: { project: string; tabs: Tab[] }[] = [];
    for (const tab of this.list) {
      const last = groups[groups.length - 1];
      if (last?.project === tab.project) last.tabs.push(tab);
      else groups.push({ project: tab.project, tabs: [tab] });
    }
    return groups;
  }

  toJSON(): RememberedTabs {
    return { tabs: this.list, active: this.front };
  }

  private find(id: string | undefined): Tab | undefined {
    return this.list.find((tab) => tab.id === id);
  }
}

/** `#/PROJECT/SESSION`; undefined for everything else. */
export function parseAddress(hash: string): Tab | undefined {
  const match = /^#\/([^/]+)\/([^/]+)$/.exec(hash);
  if (!match) return undefined;
  try {
    const project = decodeURIComponent(match[1] ?? '');
    const id = decodeURIComponent(match[2] ?? '');
    return /^[A-Za-z0-9_.-]{1,128}$/.test(id) && !/^\.+$/.test(id) ? { id, project } : undefined;
  } catch {
    return undefined;
  }
}

export function formatAddress(tab: Tab): string {
  return `#/${encodeURIComponent(tab.project)}/${encodeURIComponent(tab.id)}`;
}
