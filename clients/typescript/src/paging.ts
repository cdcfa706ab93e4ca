import type { components } from "./schema.js";

export type Bundle = components["schemas"]["Bundle"];

/** The page, and those that its `next` links lead to. Throws where one is refused. */
export async function* pages(first: Bundle, token: () => string | Promise<string>): AsyncGenerator<Bundle> {
  let page: Bundle | undefined = first;
  while (page) {
    yield page;
    const next: string | undefined = page.link?.find((link) => link.relation === "next")?.url;
    page = next === undefined ? undefined : await read(next, await token());
  }
}

async function read(url: string, token: string): Promise<Bundle> {
  const answer = await fetch(url, { headers: { Accept: "application/fhir+json", Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return (await answer.json()) as Bundle;
}
