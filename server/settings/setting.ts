import type { Check } from './checks.js'

/** One setting: what it may be, what it is when nobody sets it, where it can be set and who may see it. */
export interface Setting<Value> {
  readonly check: Check<Value>
  /**
   * What it is when nobody sets it; null for one whose default is found in the app's folder, and for one that is off.
   */
  readonly default: Value | null
  /** Whether an environment variable can set it. */
  readonly variable: boolean
  /** Whether its value is told to nobody, not even where it is wrong: it may be nearly right. */
  readonly secret: boolean
}

/** Settings, and groups of settings, by name. */
export interface SettingMembers {
  readonly [name: string]: Setting<unknown> | SettingGroup<SettingMembers>
}

/**
 * Settings that belong together: those of a room, or several under one name, which are called `name.member` in messages
 * and in the documentation.
 */
export interface SettingGroup<Members extends SettingMembers> {
  readonly members: Members
  /** Looks at values that are right one by one, and returns a sentence for each that does not fit the others. */
  check(values: ValuesOf<Members>): readonly string[]
}

type ValuesOf<Members extends SettingMembers> = { readonly [Name in keyof Members]: ValueOf<Members[Name]> }

type ValueOf<Member> =
  Member extends Setting<infer Value> ? Value : Member extends SettingGroup<infer Members> ? ValuesOf<Members> : never

/** The values of a group, each there: what a room works with. */
export type SettingsOf<Group extends { readonly members: SettingMembers }> = ValuesOf<Group['members']>

/** The values of a group as an app gives them: each may be left out. */
export type InputOf<Group extends { readonly members: SettingMembers }> = InputsOf<Group['members']>

type InputsOf<Members extends SettingMembers> = {
  readonly [Name in keyof Members]?: MemberInput<Members[Name]> | undefined
}

type MemberInput<Member> =
  Member extends Setting<infer Value> ? Value : Member extends SettingGroup<infer Members> ? InputsOf<Members> : never

/**
 * Declares one setting.
 *
 * @param fallback its default; see {@link Setting.default} for null
 */
export function setting<Value>(
  check: Check<Value>,
  fallback: Value | null,
  { variable = true, secret = false } = {},
): Setting<Value> {
  return { check, default: fallback, variable, secret }
}

/**
 * Declares settings that belong together.
 *
 * @param check see {@link SettingGroup.check}
 */
export function group<const Members extends SettingMembers>(
  members: Members,
  check: (values: ValuesOf<Members>) => readonly string[] = () => [],
): SettingGroup<Members> {
  return { members, check }
}

/** Every setting of some rooms by its whole name, such as `port` and `logging.level`. */
export function settingsIn(rooms: readonly SettingGroup<SettingMembers>[], prefix = ''): Map<string, Setting<unknown>> {
  const members = rooms.flatMap((room) => Object.entries(room.members))
  return new Map(
    members.flatMap(([name, member]): (readonly [string, Setting<unknown>])[] =>
      'members' in member ? [...settingsIn([member], `${prefix}${name}.`)] : [[prefix + name, member]],
    ),
  )
}

/** What the checks of a group, and of the groups in it, have to say of its values. */
export function findMismatches(
  room: SettingGroup<SettingMembers>,
  values: SettingsOf<SettingGroup<SettingMembers>>,
): string[] {
  const inner = Object.entries(room.members).flatMap(([name, member]) =>
    'members' in member ? findMismatches(member, values[name] as typeof values) : [],
  )
  return [...inner, ...room.check(values)]
}
