-- Grain: one row per SKU of the product catalogue.
select
  cast(sku_id as varchar) as sku_id,
  max(sku_part_number) as sku_part_number,
  max(product_name) as product_name
from {{ source('lake', 'catalog_skus') }}
group by 1
