import type { FailingApp, Test } from './asked.js'
import { mainApp } from './failing-apps/main-app.js'
import { debugApp, fileApp, handlingApp, jsonApp, limitedApp, privateApp } from './failing-apps/small-apps.js'

/** Apps that between them give every error answer that there is, by name. */
export const failingApps: Readonly<Record<string, (t: Test) => Promise<FailingApp>>> = {
  main: mainApp,
  'errors as JSON': jsonApp,
  private: privateApp,
  debug: debugApp,
  'error handlers': handlingApp,
  limits: limitedApp,
  'file routes': fileApp,
}
