-- Grain: one row per user who holds a licence that can be weighed: the number of the user's basket. Users with the same
-- licences, the same plans switched off and the same ways of assignment share it.
with keyed as (
  select
    h.tenant_id,
    h.user_id,
    array_join(array_agg(cast(v.variant as varchar) || case when h.assigned_by = 'direct' then 'd' else 'g' end order by v.variant), ',') as basket_key
  from {{ ref('int_held_licenses') }} as h
  join {{ ref('int_license_variants') }} as v on v.tenant_id = h.tenant_id and v.sku_id = h.sku_id and v.off_key = h.off_key
  group by 1, 2
)

select
  tenant_id,
  user_id,
  dense_rank() over (order by tenant_id, basket_key) as basket
from keyed
