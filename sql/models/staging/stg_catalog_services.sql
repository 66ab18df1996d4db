-- Grain: one row per SKU of the product catalogue and service of the eleven that it entitles.
select distinct
  cast(sku_id as varchar) as sku_id,
  service
from {{ source('lake', 'catalog_service_plans') }}
where service is not null
