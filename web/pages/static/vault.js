// What this browser keeps for the people who use it: keys, and what is to be sent later. IndexedDB, by account.

const NAME = "huzhu";
const VERSION = 1;
export const KEYS = "keys";
export const LATER = "later";

/** The database, made where there is none. */
function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, VERSION);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore(KEYS, { keyPath: "owner" });
      asked.result.createObjectStore(LATER, { keyPath: "id", autoIncrement: true }).createIndex("owner", "owner");
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("blocked"));
  });
}

/** Run one request on a store, and answer once it is on disk. */
export async function run(store, mode, request) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(store, mode, { durability: "strict" });
      const asked = request(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}
