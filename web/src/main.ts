// The terminal page.

import { App } from './app';
import { startTheme } from './theme';

startTheme();
const app = new App();
void app.start();

// For the browser tests, and for a look from the console.
Object.assign(window, {
  terminalService: {
    active: () => app.front && { term: app.front.screen.term, client: app.front.client, renderer: app.front.screen.renderer },
    sessions: () => [...app.views.keys()],
  },
});
