// Modal dialogs. Escape closes them, and the focus goes back to where the page says.

import { h, iconButton } from './dom';

let afterClose: () => void = () => {};

/** Tells where the focus belongs when no dialog is open. */
export function setFocusHome(focus: () => void): void {
  afterClose = focus;
}

export interface Dialog {
  element: HTMLDialogElement;
  close(value?: string): void;
  /** Resolves with the value that the dialog was closed with; undefined = dismissed. */
  closed: Promise<string | undefined>;
}

/** Shows `body` under a title. */
export function openDialog(title: string, body: HTMLElement, className = ''): Dialog {
  const element = h(
    'dialog',
    {
      class: `dialog ${className}`,
      'aria-label': title,
      cancel: (event: Event) => {
        event.preventDefault();
        close();
      },
      close: () => close(), // a browser may close it without asking
      mousedown: (event: Event) => {
        if (event.target === element) close(); // beside the dialog, on its backdrop
      },
    },
    h('header', {}, h('h2', {}, title), iconButton('close', 'Close dialog', () => close())),
    body,
  );
  let resolve: (value: string | undefined) => void;
  const closed = new Promise<string | undefined>((settle) => (resolve = settle));
  // The focus moves now and not when the close event comes: a key typed at once is for the terminal.
  const close = (value?: string) => {
    if (!element.isConnected) return;
    element.close();
    element.remove();
    if (!document.querySelector('dialog[open]')) afterClose();
    resolve(value);
  };
  document.body.append(element);
  element.showModal();
  return { element, closed, close };
}

export interface Action {
  value: string;
  label: string;
  kind?: 'primary' | 'danger';
}

/** Asks; resolves with the value of the chosen action, or undefined for Cancel and Escape. */
export function confirmDialog(ask: { title: string; text: string; actions: Action[] }): Promise<string | undefined> {
  const buttons = [
    h('button', { type: 'button', class: 'button', autofocus: true, click: () => dialog.close() }, 'Cancel'),
    ...ask.actions.map(({ value, label, kind }: Action) =>
      h('button', { type: 'button', class: `button ${kind ?? ''}`, click: () => dialog.close(value) }, label),
    ),
  ];
  const dialog = openDialog(
    ask.title,
    h('div', { class: 'dialog-body' }, h('p', { class: 'breakable' }, ask.text), h('div', { class: 'buttons' }, ...buttons)),
  );
  return dialog.closed;
}

export interface Field {
  name: string;
  label: string;
  value?: string;
  hint?: string;
  type?: 'text' | 'password';
  required?: boolean;
  maxLength?: number;
  pattern?: string;
}

/** Asks for a few lines of text; undefined = dismissed. */
export async function formDialog(
  title: string,
  fields: Field[],
  submit: string,
): Promise<Record<string, string> | undefined> {
  let answers: Record<string, string> | undefined;
  const form = h('form', {
    class: 'dialog-body',
    submit: (event: Event) => {
      event.preventDefault();
      answers = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
      dialog.close('submitted');
    },
  });
  for (const field of fields) {
    const input = h('input', {
      name: field.name,
      type: field.type ?? 'text',
      value: field.value ?? '',
      required: field.required,
      maxlength: field.maxLength,
      pattern: field.pattern,
      title: field.pattern && field.hint,
      autocomplete: 'off',
      spellcheck: 'false',
      autofocus: field === fields[0],
    });
    if (field === fields[0]) queueMicrotask(() => input.select());
    form.append(h('label', { class: 'field' }, h('span', {}, field.label), input, field.hint ? h('small', {}, field.hint) : undefined));
  }
  form.append(
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', class: 'button', click: () => dialog.close() }, 'Cancel'),
      h('button', { type: 'submit', class: 'button primary' }, submit),
    ),
  );
  const dialog = openDialog(title, form);
  await dialog.closed;
  return answers;
}
