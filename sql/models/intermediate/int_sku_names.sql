-- Grain: one row per tenant and managed SKU that is known now or has a position in the history.
-- A SKU that the tenant no longer has keeps the names of its last position.
with past as (
  select
    tenant_id,
    sku_id,
    max_by(sku_part_number, snapshot_date) as sku_part_number,
    max_by(product_name, snapshot_date) as product_name
  from {{ ref('stg_history_positions') }}
  group by 1, 2
)

select tenant_id, sku_id, sku_part_number, product_name
from {{ ref('int_skus') }}
where is_managed
union all
select p.tenant_id, p.sku_id, p.sku_part_number, p.product_name
from past as p
left join {{ ref('int_skus') }} as k on k.tenant_id = p.tenant_id and k.sku_id = p.sku_id
where k.sku_id is null
