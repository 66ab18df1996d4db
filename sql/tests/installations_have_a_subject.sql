-- Every product on a device of the inventory is counted once: with users of the device, or with the device itself.
select i.tenant_id, i.device_key, i.product_family, count(distinct s.subject) as kinds
from (select distinct tenant_id, device_key, product_family from {{ ref('int_installations') }}) as i
left join {{ ref('int_product_installs') }} as s
  on s.tenant_id = i.tenant_id and s.device_key = i.device_key and s.product_family = i.product_family
left join {{ ref('hybrid_exceptions') }} as e
  on e.tenant_id = s.tenant_id and e.product_family = s.product_family and e.subject = s.subject and e.subject_id = s.subject_id
group by 1, 2, 3
having count(distinct s.subject) <> 1 or count_if(e.reason is null) > 0
