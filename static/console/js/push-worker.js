// Shows what is pushed, and opens the page that it is about. A push holds words of ours and a place in the console; the page asks who may see it.
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));

self.addEventListener('push', event => {
  let said = {};
  try { said = event.data.json(); } catch { /* something is better than nothing: the browser wants a notification for each push */ }
  const title = typeof said.title === 'string' ? said.title : 'Something needs you';
  const place = typeof said.place === 'string' && /^\/[a-z]/.test(said.place) ? said.place : '/notifications/';
  event.waitUntil(self.registration.showNotification(title, { body: 'Narrowgate', tag: place, data: { place } }));
});

self.addEventListener('notificationclick', event => {
  event.notification.close();
  const address = new URL(event.notification.data.place, self.location.origin).href;
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    const open = pages.find(page => page.url === address);
    return open ? open.focus() : self.clients.openWindow(address);
  })());
});
