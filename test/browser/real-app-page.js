// The script of a small app for notes, written against what versions 1 and 2 of remoteStorage.js share. What it
// shows comes from the library's change events alone; when two devices have changed one note, it keeps both.

const notesModule = {
  name: 'notes',
  builder(privateClient, publicClient) {
    privateClient.declareType('note', {
      type: 'object',
      properties: { text: { type: 'string' } },
      required: ['text'],
    });
    return {
      exports: {
        onChange: (handle) => privateClient.on('change', handle),
        save: (name, text) => privateClient.storeObject('note', name, { text }),
        // version 1 adds this charset itself; 2.0.0-beta.10 does not, yet reads as text what is without it
        attach: async (file) =>
          privateClient.storeFile(
            `${file.type}; charset=binary`,
            `files/${file.name}`,
            await file.arrayBuffer(),
          ),
        publish: (name, markup) => publicClient.storeFile('text/html', name, markup),
        remove: (path) => privateClient.remove(path),
      },
    };
  },
};

const remoteStorage = new globalThis.RemoteStorage({
  modules: [notesModule],
  changeEvents: { local: true, window: true, remote: true, conflict: true },
});
const { notes } = remoteStorage;
const element = (id) => document.getElementById(id);
const items = new Map();

remoteStorage.access.claim('notes', 'rw');
remoteStorage.caching.enable('/notes/');
remoteStorage.caching.enable('/public/notes/');
remoteStorage.setSyncInterval(2000);
remoteStorage.setBackgroundSyncInterval(2000);

remoteStorage.on('connected', () => showStatus(`connected to ${remoteStorage.remote.userAddress}`));
remoteStorage.on('not-connected', () => showStatus('not connected'));
remoteStorage.on('network-offline', () => showStatus('offline'));
remoteStorage.on('network-online', () => showStatus(`connected to ${remoteStorage.remote.userAddress}`));
remoteStorage.on('disconnected', () => {
  items.clear();
  showItems();
  showStatus('not connected');
});
remoteStorage.on('error', (error) => {
  // having no network is no trouble: the status says it
  if (!(error instanceof globalThis.RemoteStorage.SyncError)) showTrouble(error.message);
});

notes.onChange(async (event) => {
  const path = event.relativePath;
  if (event.origin === 'conflict' && event.oldValue) {
    showTrouble(`${path} was changed elsewhere too: “${event.oldValue.text}” is kept as a copy`);
    await notes.save(`${path} (copy)`, event.oldValue.text);
  }
  if (event.newValue === undefined || event.newValue === false) items.delete(path);
  else items.set(path, await describe(event.newValue, event.newContentType));
  showItems();
});

onSubmit('connect', ({ address }) => remoteStorage.connect(address));
onSubmit('note', ({ name, text }) => notes.save(name, text));
onSubmit('published', ({ name, text }) => notes.publish(name, text));
element('attach').addEventListener('change', ({ target }) => notes.attach(target.files[0]));
element('disconnect').addEventListener('click', () => remoteStorage.disconnect());
element('sync').addEventListener('click', () => remoteStorage.startSync());

function onSubmit(id, act) {
  element(id).addEventListener('submit', (event) => {
    event.preventDefault();
    act(Object.fromEntries(new FormData(event.target)));
  });
}

/** A note's text; of a file its type, size and SHA-256. */
async function describe(value, type) {
  if (!(value instanceof ArrayBuffer)) return value.text;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', value));
  return `${type.replace('; charset=binary', '')}, ${value.byteLength} bytes, ${[...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function showItems() {
  const rows = [...items.keys()].sort().map((path) => {
    const row = document.createElement('li');
    const remove = document.createElement('button');
    remove.textContent = 'Delete';
    remove.addEventListener('click', () => notes.remove(path));
    row.append(`${path}: ${items.get(path)} `, remove);
    return row;
  });
  element('items').replaceChildren(...rows);
}

function showStatus(text) {
  element('status').textContent = text;
}

function showTrouble(text) {
  const row = document.createElement('li');
  row.textContent = text;
  element('troubles').append(row);
}
