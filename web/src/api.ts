// The user part of the HTTP API, as far as the page needs it.

import { token } from './storage';

export interface SessionSummary {
  id: string;
  projectId: string;
  tabName: string;
  status: string;
  createdAt: string;
}

/** An answer that says no; `status` 0 means that there was no answer. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response: Response;
  try {
    response = await fetch(`/api/terminal/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'the service does not answer');
  }
  const answer = (await response.json().catch(() => ({}))) as { error?: string } & T;
  if (!response.ok) throw new ApiError(response.status, answer.error ?? `the service answered ${response.status}`);
  return answer;
}

export async function listSessions(): Promise<SessionSummary[]> {
  return (await call<{ sessions: SessionSummary[] }>('GET', 'list')).sessions;
}

export async function createSession(projectId: string, projectPath?: string): Promise<SessionSummary> {
  const body = { projectId, ...(projectPath ? { projectPath } : {}) };
  return (await call<{ session: SessionSummary }>('POST', 'create', body)).session;
}

export async function renameSession(id: string, name: string): Promise<void> {
  await call('PUT', `rename/${encodeURIComponent(id)}`, { name });
}

export async function endSession(id: string): Promise<void> {
  await call('DELETE', `close/${encodeURIComponent(id)}`);
}
