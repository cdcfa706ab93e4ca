// FHIR's types refer to each other in circles, which Swagger UI would follow without end. The page shows every type, but an extension
// and a resource inside another one without what is in them; the document itself says all.
function shown(document) {
  const { schemas } = document.components;
  for (const name of ["Resource", "OtherResource"]) {
    schemas[name] = { type: "object", description: schemas[name].description, properties: { resourceType: { type: "string" } } };
  }
  for (const name of ["Extension", "Element"]) {
    schemas[name] = { type: "object", description: schemas[name].description, properties: { url: schemas.Extension.properties.url } };
  }
  return document;
}

fetch(`openapi.json${location.search}`)
  .then((answer) => answer.json())
  .then((document) =>
    SwaggerUIBundle({
      dom_id: "#page",
      spec: shown(document),
      deepLinking: true,
      defaultModelsExpandDepth: -1,
      docExpansion: "none",
      filter: true,
      syntaxHighlight: false,
      validatorUrl: null,
    }),
  );
