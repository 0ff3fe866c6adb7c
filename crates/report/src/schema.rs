use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema as _, Schema};

use crate::Report;

/// The JSON Schema (draft 2020-12) of a report as `-o json` prints it. Fields may be added to reports without a new
/// `apiVersion`, so that unknown ones are allowed.
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Report>();
    RecursiveTransform(without_links).transform(&mut schema);
    schema.insert("title".to_owned(), Report::schema_name().into());
    schema.into()
}

/// Descriptions are the documentation of the types; what is a link there is a name here.
fn without_links(schema: &mut Schema) {
    if let Some(serde_json::Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("[`", "`").replace("`]", "`");
    }
}
