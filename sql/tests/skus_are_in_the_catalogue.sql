-- A SKU that the product catalogue lacks goes by its part number, and its plans by their names. A newer list may know
-- it: seatlake catalog update.
{{ config(severity='warn') }}
select k.tenant_id, k.sku_id, k.sku_part_number
from {{ ref('int_skus') }} as k
left join {{ ref('stg_catalog_skus') }} as c on c.sku_id = k.sku_id
where c.sku_id is null
