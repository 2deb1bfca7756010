document.body.textContent = 'Terminal';
